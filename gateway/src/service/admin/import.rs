//! Adds or replaces sites: batch by batch, each to the shards its sites belong to.
//!
//! Laws: batches are answered in order, one answer each; a batch with a wrong site changes nothing; of a
//! site that comes twice the later one counts. An import that ended early can be sent again as a whole:
//! what is there already counts as unchanged.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{Stream, future::try_join_all, stream::try_unfold};
use quorate_proto::{
    admin::{self, ImportSitesRequest, ImportSitesResponse},
    ids::{ShardId, SiteCode, SiteType},
};
use tonic::{Code, Status, Streaming};

use super::Admitted;
use crate::{
    directory::View,
    limits,
    model::{Place, PutSites, Site, SitesPut},
    service::{border::Border, errors, guard},
};

/// Ends with the requests, or with the first error.
pub(super) fn answers(
    border: Arc<Border>,
    batches: Streaming<ImportSitesRequest>,
    admitted: Admitted,
) -> impl Stream<Item = Result<ImportSitesResponse, Status>> + Send + 'static {
    let start = (border, batches, admitted);
    try_unfold(start, |(border, mut batches, admitted)| async move {
        let batch = batches.message().await.map_err(|status| {
            // As for single messages: the decoder's own error gets our reason.
            match status.code() {
                Code::OutOfRange => guard::too_large(),
                _ => status,
            }
        })?;
        let Some(batch) = batch else {
            return Ok(None);
        };
        let put = put_batch(&border, batch, admitted.deadline).await?;
        let answer = ImportSitesResponse {
            added: put.added,
            replaced: put.replaced,
            unchanged: put.unchanged,
        };
        Ok(Some((answer, (border, batches, admitted))))
    })
}

async fn put_batch(
    border: &Border,
    batch: ImportSitesRequest,
    deadline: Duration,
) -> Result<SitesPut, Status> {
    let sites = read(batch)?;
    let view = border.view(deadline).await?;
    let by_shard = group_by_shard(&view, sites);
    let puts = by_shard.into_values();
    let put = try_join_all(puts.map(|sites| put_in_shard(border, sites, deadline))).await?;
    Ok(put.into_iter().fold(SitesPut::default(), sum))
}

fn sum(one: SitesPut, other: SitesPut) -> SitesPut {
    SitesPut {
        added: one.added + other.added,
        replaced: one.replaced + other.replaced,
        unchanged: one.unchanged + other.unchanged,
    }
}

/// Keeps the order within each shard, so that of a site that comes twice the later one wins.
fn group_by_shard(view: &View, sites: Vec<Site>) -> BTreeMap<Option<ShardId>, Vec<Site>> {
    let mut by_shard: BTreeMap<_, Vec<Site>> = BTreeMap::new();
    for site in sites {
        let shard = view.map.shard_at(site.position());
        let shard = shard.map(|shard| shard.shard);
        by_shard.entry(shard).or_default().push(site);
    }
    by_shard
}

/// One command after the other: the order of the sites is the order of their effects.
async fn put_in_shard(
    border: &Border,
    mut sites: Vec<Site>,
    deadline: Duration,
) -> Result<SitesPut, Status> {
    let mut put = SitesPut::default();
    while let Some(first) = sites.first() {
        let place = Place::Position(first.position());
        let rest = sites.split_off(sites.len().min(limits::PUT_SITES_MAX));
        let command = PutSites { sites };
        let answered = border.dispatcher.call(place, &command, deadline).await;
        let answered = answered.map_err(|error| errors::call(error, None, border.env()))?;
        put = sum(put, answered.answer);
        sites = rest;
    }
    Ok(put)
}

/// Every site of a batch, or its first fault.
pub(crate) fn read(batch: ImportSitesRequest) -> Result<Vec<Site>, Status> {
    if batch.sites.len() > limits::IMPORT_BATCH_SITES_MAX {
        let most = limits::IMPORT_BATCH_SITES_MAX;
        let message = format!("a batch has at most {most} sites");
        return Err(errors::invalid("sites", message));
    }
    let sites = batch.sites.into_iter().enumerate();
    sites.map(|(index, site)| read_site(index, site)).collect()
}

fn read_site(index: usize, site: admin::Site) -> Result<Site, Status> {
    let wrong =
        |field: &str, message: String| errors::invalid(&format!("sites[{index}].{field}"), message);
    let text = |field: &str, text: &str, bytes_max: usize| {
        if text.is_empty() || text.len() > bytes_max {
            return Err(wrong(field, format!("must have 1 to {bytes_max} bytes")));
        }
        if text.chars().any(char::is_control) {
            return Err(wrong(field, "must not hold control characters".to_owned()));
        }
        Ok(())
    };
    let code = SiteCode::parse(&site.code).map_err(|error| wrong("code", error.to_string()))?;
    let site_type =
        SiteType::parse(&site.site_type).map_err(|error| wrong("site_type", error.to_string()))?;
    text("name", &site.name, limits::SITE_NAME_BYTES_MAX)?;
    text("address", &site.address, limits::SITE_ADDRESS_BYTES_MAX)?;
    // Some real addresses name no province.
    if !site.region.is_empty() {
        text("region", &site.region, limits::SITE_REGION_BYTES_MAX)?;
    }
    let location = match (site.latitude, site.longitude) {
        (None, None) => None,
        (Some(latitude), Some(longitude)) => Some((latitude, longitude)),
        _ => {
            let message = "latitude and longitude come together".to_owned();
            return Err(wrong("latitude", message));
        }
    };
    if let Some((latitude, longitude)) = location {
        if !(-90.0..=90.0).contains(&latitude) {
            return Err(wrong("latitude", "must be -90 to 90".to_owned()));
        }
        if !(-180.0..=180.0).contains(&longitude) {
            return Err(wrong("longitude", "must be -180 to 180".to_owned()));
        }
    }
    Ok(Site {
        code,
        name: site.name,
        address: site.address,
        site_type,
        location,
        region: site.region.into(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use quorate_proto::status::{METADATA_FIELD, metadata_of};

    use super::*;
    use crate::directory::tests::view;

    fn site(code: &str) -> admin::Site {
        admin::Site {
            code: code.to_owned(),
            name: "보승약국".to_owned(),
            address: "서울특별시 용산구 우사단로4길 42-1".to_owned(),
            site_type: "01".to_owned(),
            latitude: Some(37.5),
            longitude: Some(127.0),
            region: "서울특별시".to_owned(),
        }
    }

    #[test]
    fn a_site_reads_as_it_was_sent() {
        let read = read_site(0, site("11841176")).unwrap();
        assert_eq!(read.code.as_str(), "11841176");
        assert_eq!(read.location, Some((37.5, 127.0)));
        let nowhere = admin::Site {
            latitude: None,
            longitude: None,
            ..site("11841176")
        };
        assert_eq!(read_site(0, nowhere).unwrap().location, None);
    }

    #[test]
    fn the_wrong_field_of_the_wrong_site_is_named() {
        type Change = fn(&mut admin::Site);
        let cases: [(Change, &str); 10] = [
            (|site| site.code.clear(), "code"),
            (|site| site.code = "no space".to_owned(), "code"),
            (|site| site.site_type = "1".to_owned(), "site_type"),
            (|site| site.name.clear(), "name"),
            (|site| site.name = "line\nbreak".to_owned(), "name"),
            (|site| site.address = "x".repeat(513), "address"),
            (|site| site.region = "x".repeat(65), "region"),
            (|site| site.latitude = None, "latitude"),
            (|site| site.latitude = Some(90.1), "latitude"),
            (|site| site.longitude = Some(f64::NAN), "longitude"),
        ];
        for (change, field) in cases {
            let mut wrong = site("A");
            change(&mut wrong);
            let status = read_site(7, wrong).unwrap_err();
            let named = metadata_of(&status, METADATA_FIELD);
            assert_eq!(named, Some(format!("sites[7].{field}")));
        }
    }

    #[test]
    fn sites_go_to_their_shards_in_order() {
        let view = view(1, "demo", 4);
        let codes: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let twice = codes.iter().chain(&codes).zip(0..);
        let sites: Vec<Site> = twice
            .map(|(code, n)| {
                let mut site = read_site(0, site(code)).unwrap();
                site.name = n.to_string();
                site
            })
            .collect();
        let by_shard = group_by_shard(&view, sites);
        assert_eq!(by_shard.len(), 4);
        assert_eq!(by_shard.values().map(Vec::len).sum::<usize>(), 200);
        for (shard, sites) in by_shard {
            let range = view.map.shard(shard.unwrap()).unwrap().range.unwrap();
            assert!(sites.iter().all(|site| range.contains(site.position())));
            let order: Vec<u32> = sites
                .iter()
                .map(|site| site.name.parse().unwrap())
                .collect();
            assert!(order.is_sorted());
        }
    }
}
