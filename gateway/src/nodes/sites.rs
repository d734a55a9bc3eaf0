//! The site feed of one node: every site of the shards it leads, then every change.
//!
//! State owned: nothing that outlives a stream. Laws: a feed that ends, or is silent although the node owes
//! a sign of life, is opened anew after a pause; what a piece means is for the snapshot to judge.
//! Deliberately absent: any effect on the connection it runs over, which carries sales.

use std::convert::Infallible;

use futures_util::StreamExt as _;
use quorate_proto::{
    ids::{NodeId, ProductId, ShardId, SiteCode, SiteType},
    internal::{self, WatchSitesRequest},
    storage,
};

use super::{
    Context,
    connection::Backoff,
    dial::{LinkError, NodeConnection},
};
use crate::{
    limits,
    public::{Location, Profile, SiteFrame, SiteNews, Stock},
};

/// Why a feed ended.
#[derive(Debug, thiserror::Error)]
enum FeedEnd {
    #[error("the stream of sites was refused or broken")]
    Broken(#[source] LinkError),
    #[error("the node ended the stream of sites")]
    Ended,
    #[error("the node was silent")]
    Silent,
}

/// Never returns; dropped with the connection.
pub(super) async fn follow(
    context: &Context,
    node: NodeId,
    connection: &dyn NodeConnection,
) -> Infallible {
    let mut backoff = Backoff::new();
    loop {
        let end = read(context, connection, &mut backoff).await;
        say(node, &end);
        backoff.pause(&context.env).await;
    }
}

fn say(node: NodeId, end: &FeedEnd) {
    let error = end as &dyn std::error::Error;
    tracing::debug!(node = node.get(), error, "lost the site feed of a node");
}

async fn read(
    context: &Context,
    connection: &dyn NodeConnection,
    backoff: &mut Backoff,
) -> FeedEnd {
    let request = WatchSitesRequest {
        cluster_id: context.cluster_id.clone(),
    };
    let mut frames = match connection.watch_sites(request).await {
        Ok(frames) => frames,
        Err(error) => return FeedEnd::Broken(error),
    };
    loop {
        let next = frames.next();
        let heard = context.env.timeout(limits::SITE_FEED_SILENCE_MAX, next);
        match heard.await {
            Ok(Some(Ok(frame))) => {
                context.snapshot.apply(site_frame(frame));
                backoff.reset();
            }
            Ok(None) => return FeedEnd::Ended,
            Ok(Some(Err(error))) => return FeedEnd::Broken(error),
            Err(_) => return FeedEnd::Silent,
        }
    }
}

/// A piece of the feed, without the sites that break a law of theirs.
pub(crate) fn site_frame(frame: internal::SiteFrame) -> SiteFrame {
    SiteFrame {
        shard: ShardId(frame.shard),
        term: frame.term,
        snapshot_start: frame.snapshot_start,
        snapshot_end: frame.snapshot_end,
        sites: frame.sites.into_iter().filter_map(site_news).collect(),
        outbox_lag_ms: frame.outbox_lag_ms,
    }
}

/// `None`: it breaks a law that the shard keeps. It is left out, and said once a time.
fn site_news(site: internal::SiteState) -> Option<SiteNews> {
    let profile = site.profile.and_then(profile);
    if profile.is_none() {
        tracing::error!("a node sent a site without a valid profile; left out");
    }
    let products = site.products.into_iter();
    Some(SiteNews {
        profile: profile?,
        suspended: site.suspended,
        notice: site.notice.into(),
        updated_ms: site.updated_at_ms,
        products: products
            .filter_map(|product| {
                let id = ProductId::parse(&product.product).ok()?;
                Some((id, stock(&product.stock?)))
            })
            .collect(),
    })
}

fn profile(profile: storage::SiteProfile) -> Option<Profile> {
    let coordinates = profile.latitude.zip(profile.longitude);
    Some(Profile {
        code: SiteCode::parse(&profile.code).ok()?,
        name: profile.name.into(),
        address: profile.address.into(),
        site_type: SiteType::try_from(profile.site_type).ok()?,
        region: profile.region.into(),
        location: coordinates.and_then(|(latitude, longitude)| Location::new(latitude, longitude)),
    })
}

fn stock(stock: &storage::StockRecord) -> Stock {
    // Only the site itself does these; sales come by themselves.
    let is_reported = stock.received != 0
        || stock.adjusted != 0
        || stock.held != 0
        || stock.sales_stopped
        || stock.last_received_ms.is_some();
    Stock {
        is_reported,
        on_hand: stock.on_hand,
        held: stock.held,
        sales_stopped: stock.sales_stopped,
        received_ms: stock.last_received_ms,
        updated_ms: stock.updated_at_ms,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn sales_alone_are_no_report() {
        let sold = storage::StockRecord {
            sold: 3,
            on_hand: -3,
            updated_at_ms: 5,
            ..storage::StockRecord::default()
        };
        assert!(!stock(&sold).is_reported);
        let received = storage::StockRecord {
            received: 100,
            on_hand: 97,
            last_received_ms: Some(4),
            ..sold
        };
        assert!(stock(&received).is_reported);
        let resumed = storage::StockRecord {
            sales_stopped: true,
            ..sold
        };
        assert!(stock(&resumed).is_reported);
    }

    #[test]
    fn half_a_place_or_a_place_beyond_the_earth_is_none() {
        let site = |latitude, longitude| storage::SiteProfile {
            code: "A".into(),
            site_type: 1,
            latitude,
            longitude,
            ..storage::SiteProfile::default()
        };
        let location = |latitude, longitude| profile(site(latitude, longitude)).unwrap().location;
        assert!(location(Some(37.5), Some(127.0)).is_some());
        assert!(location(Some(37.5), None).is_none());
        assert!(location(Some(99.0), Some(127.0)).is_none());
        let nameless = storage::SiteProfile {
            code: String::new(),
            ..site(None, None)
        };
        assert!(profile(nameless).is_none());
    }
}
