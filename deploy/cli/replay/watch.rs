//! The public's eyes: both public answers are read as any app reads them, and every level is noted with the
//! time at which it was seen.
//!
//! State owned: the sightings so far. Laws: a watcher goes on after a broken connection; what it could not
//! see in the meantime is for the comparison to find. Deliberately absent: what ought to be seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use quorate_client::public::{PublicAnswer, PublicError, PublicReader};
use quorate_files::level::Level;
use quorate_link::{Env, TaskHandle};
use quorate_proto::ids::SiteCode;
use serde::Deserialize;

use super::compare::{Sighting, Via};
use crate::exit::{Exit, Failure};

/// How often `/corona19-masks/v1` is read.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A public answer that takes longer is not waited for.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// Pause before a broken connection is opened again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

const SALES: &str = "/corona19-masks/v1/sales/json";
const DELTAS: &str = "/v1/deltas";

/// Watches until it is dropped.
pub(super) struct Watch {
    seen: Arc<Seen>,
    watchers: [TaskHandle; 2],
}

struct Seen {
    sightings: Mutex<Vec<Sighting>>,
    sites: BTreeSet<SiteCode>,
    began: Duration,
    env: Env,
}

/// A page of `/sales/json`.
#[derive(Deserialize)]
struct SalesPage {
    #[serde(rename = "totalPages")]
    total_pages: u64,
    sales: Vec<SalesRow>,
}

#[derive(Deserialize)]
struct SalesRow {
    code: String,
    remain_stat: Option<Level>,
}

/// A row of `/v1`, as far as it is of use here.
#[derive(Deserialize)]
struct SiteRow {
    code: String,
    level: Option<Level>,
}

impl Watch {
    /// Begins to watch these sites at a public listener; both answers have been had once before this returns.
    ///
    /// # Errors
    /// The listener does not answer.
    pub(super) async fn begin(
        address: &str,
        sites: BTreeSet<SiteCode>,
        began: Duration,
        env: &Env,
    ) -> Result<Self, Failure> {
        let unreachable = |error: PublicError| {
            Failure::new(
                Exit::Unavailable,
                format!("the public listener at {address} does not answer: {error}"),
            )
            .next("does a gateway there serve the public?")
        };
        let seen = Arc::new(Seen {
            sightings: Mutex::default(),
            sites,
            began,
            env: env.clone(),
        });
        let mut masks = PublicReader::new(address.to_owned(), env.clone());
        let first = masks.get(SALES, ANSWER_TIME_MAX).await;
        first.map_err(unreachable)?;
        let deltas = PublicReader::new(address.to_owned(), env.clone());
        let opened = deltas.events(DELTAS, None, ANSWER_TIME_MAX).await;
        let mut events = opened.map_err(unreachable)?;

        let (by_masks, by_deltas) = (seen.clone(), seen.clone());
        let poll = env.spawn("watch-masks", async move {
            loop {
                if let Err(error) = by_masks.poll(&mut masks).await {
                    tracing::debug!(%error, "the levels could not be read");
                }
                by_masks.env.sleep(POLL_INTERVAL).await;
            }
        });
        let listen = env.spawn("watch-deltas", async move {
            let mut last_id = String::new();
            loop {
                while let Ok(Some(event)) = events.next().await {
                    last_id = event.id;
                    if event.kind == "site"
                        && let Ok(row) = serde_json::from_str::<SiteRow>(&event.data)
                    {
                        by_deltas.note(Via::Deltas, &row.code, row.level);
                    }
                }
                by_deltas.env.sleep(AGAIN_AFTER).await;
                let behind = Some(last_id.as_str()).filter(|id| !id.is_empty());
                if let Ok(again) = deltas.events(DELTAS, behind, ANSWER_TIME_MAX).await {
                    events = again;
                }
            }
        });
        Ok(Self {
            seen,
            watchers: [poll, listen],
        })
    }

    /// Everything that was seen so far, by time.
    pub(super) fn sightings(&self) -> Vec<Sighting> {
        self.seen
            .sightings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for watcher in &self.watchers {
            watcher.abort();
        }
    }
}

impl Seen {
    /// Reads all pages once.
    async fn poll(&self, reader: &mut PublicReader) -> Result<(), PublicError> {
        let (mut page, mut pages) = (1, 1);
        let mut levels = BTreeMap::new();
        while page <= pages {
            let path = format!("{SALES}?page={page}&perPage=5000");
            let answer = reader.get(&path, ANSWER_TIME_MAX).await?;
            let Some(read) = read_page(&answer) else {
                return Ok(());
            };
            pages = read.total_pages;
            page += 1;
            let rows = read.sales.into_iter();
            levels.extend(rows.map(|row| (row.code, row.remain_stat)));
        }
        for (code, level) in levels {
            self.note(Via::Masks, &code, level);
        }
        Ok(())
    }

    fn note(&self, via: Via, code: &str, level: Option<Level>) {
        let (Ok(site), Some(level)) = (SiteCode::parse(code), level) else {
            return;
        };
        if !self.sites.contains(&site) {
            return;
        }
        let at = self.env.monotonic().saturating_sub(self.began);
        let mut sightings = self
            .sightings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut of_site = sightings.iter().rev();
        let last = of_site.find(|seen| seen.via == via && seen.site == site);
        if last.is_none_or(|last| last.level != level) {
            sightings.push(Sighting {
                via,
                site,
                level,
                at,
            });
        }
    }
}

/// A throttled or failed answer is no page.
fn read_page(answer: &PublicAnswer) -> Option<SalesPage> {
    serde_json::from_slice(&answer.body).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn answers_are_read_as_they_are_written() {
        let page: SalesPage = serde_json::from_str(
            r#"{"totalPages":1,"totalCount":2,"page":"1","count":2,"sales":[
                {"code":"11841176","created_at":"2020/03/10 21:30:00","remain_stat":"some","stock_at":"2020/03/10 11:36:00"},
                {"code":"11841177","created_at":null,"remain_stat":null,"stock_at":null}]}"#,
        )
        .unwrap();
        assert_eq!(page.total_pages, 1);
        assert_eq!(page.sales[0].remain_stat, Some(Level::Several));
        assert_eq!(page.sales[1].remain_stat, None);
        let row: SiteRow = serde_json::from_str(
            r#"{"code":"1","name":"x","level":"break","available":3,"held":0}"#,
        )
        .unwrap();
        assert_eq!(row.level, Some(Level::Break));
    }

    #[test]
    fn a_level_is_noted_when_it_changes() {
        let site = SiteCode::parse("1").unwrap();
        let env = Env::system();
        let seen = Seen {
            sightings: Mutex::default(),
            sites: BTreeSet::from([site]),
            began: env.monotonic(),
            env,
        };
        for level in [
            Some(Level::Plenty),
            Some(Level::Plenty),
            None,
            Some(Level::Few),
        ] {
            seen.note(Via::Masks, "1", level);
            seen.note(Via::Deltas, "2", level);
        }
        let sightings = seen.sightings.lock().unwrap();
        let levels: Vec<_> = sightings.iter().map(|seen| seen.level).collect();
        assert_eq!(levels, [Level::Plenty, Level::Few]);
    }
}
