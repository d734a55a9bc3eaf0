//! Whether every site has what the citizens' records say that it must have.
//!
//! The sites' accounts are taken first, the citizens' later. What a site has not been told yet is still in an
//! outbox behind the site's watermark; so what the records say, less those rows, is what the site must have
//! counted, exactly, while sales go on. Rows stay for a minute after they have reached their sites: if more
//! time than that lies between the two accounts, a difference proves nothing and is reported as unknown.
//!
//! Memory is bounded by sites and products; accounts are read part by part. [`Comparison`] is pure.

use std::collections::BTreeMap;

use quorate_proto::{
    admin::{Health, StockDifference, StockVerification},
    ids::{ProductId, RingPosition, ShardId, SiteCode, SiteKey},
    storage::StockRecord,
};

use crate::{
    limits,
    nodes::{AuditRow, Moved, StockPlace},
};

/// Both sides as far as they have been heard.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    places: BTreeMap<StockPlace, Place>,
    /// By target and source.
    watermarks: BTreeMap<(ShardId, ShardId), u64>,
    /// The earliest time at which a site's side was taken, Unix milliseconds.
    sites_at_ms: Option<i64>,
    /// The latest time at which a citizens' side was taken, Unix milliseconds.
    citizens_at_ms: Option<i64>,
    silent: Vec<String>,
}

/// One product at one site.
#[derive(Debug, Default)]
struct Place {
    code: Option<SiteCode>,
    /// As the site's shard keeps it.
    kept: Option<StockRecord>,
    /// As the records say. Sums of parts that come in any order: below 0 only in between.
    sold: i128,
    voided: i128,
}

impl Comparison {
    /// Takes a row of a shard's account as the shard of its sites.
    pub(super) fn take_site_side(&mut self, shard: ShardId, row: AuditRow) {
        match row {
            AuditRow::Clock(at_ms) => {
                let earliest = self.sites_at_ms.map_or(at_ms, |known| known.min(at_ms));
                self.sites_at_ms = Some(earliest);
            }
            AuditRow::Watermark(source, seq) => {
                self.watermarks.insert((shard, source), seq);
            }
            AuditRow::Stock(place, code, kept) => {
                let place = self.places.entry(place).or_default();
                place.code = place.code.or(code);
                place.kept = Some(kept);
            }
            // Its citizens are asked for later.
            AuditRow::Sold(..) | AuditRow::Row(..) => {}
        }
    }

    /// Takes a row of a shard's account as the shard of its citizens, once every site side is there.
    pub(super) fn take_citizen_side(
        &mut self,
        source: ShardId,
        row: AuditRow,
        owner: impl Fn(RingPosition) -> Option<ShardId>,
    ) {
        match row {
            AuditRow::Clock(at_ms) => {
                let latest = self.citizens_at_ms.map_or(at_ms, |known| known.max(at_ms));
                self.citizens_at_ms = Some(latest);
            }
            AuditRow::Sold(code, product, sold, voided) => {
                let place = self.place(code, product);
                place.sold += i128::from(sold);
                place.voided += i128::from(voided);
            }
            AuditRow::Row(seq, code, product, moved) => {
                let target = owner(SiteKey::of(&code).position());
                let told = target.and_then(|target| self.watermarks.get(&(target, source)));
                if told.is_none_or(|told| seq > *told) {
                    let place = self.place(code, product);
                    match moved {
                        Moved::Sold(units) => place.sold -= i128::from(units),
                        Moved::Voided(units) => place.voided -= i128::from(units),
                    }
                }
            }
            AuditRow::Watermark(..) | AuditRow::Stock(..) => {}
        }
    }

    /// A shard could not be asked: nothing can be said of its sites, or of any site.
    pub(super) fn silent(&mut self, shard: ShardId, why: &str) {
        self.silent.push(format!("shard {shard}: {why}"));
    }

    fn place(&mut self, code: SiteCode, product: ProductId) -> &mut Place {
        let place = self
            .places
            .entry((SiteKey::of(&code), product))
            .or_default();
        place.code = Some(code);
        place
    }

    /// The judgement.
    pub(super) fn judge(self) -> StockVerification {
        if !self.silent.is_empty() {
            return StockVerification {
                health: Health::Unknown.into(),
                detail: format!("not compared: {}", self.silent.join("; ")),
                ..StockVerification::default()
            };
        }
        let apart_ms = match (self.sites_at_ms, self.citizens_at_ms) {
            (Some(sites), Some(citizens)) => citizens - sites,
            _ => 0,
        };
        let mut compared = 0;
        let mut different = 0;
        let mut differences = Vec::new();
        for ((site, product), place) in self.places {
            compared += 1;
            let Some(difference) = place.difference(site, product) else {
                continue;
            };
            different += 1;
            if differences.len() < limits::STOCK_DIFFERENCES_SHOWN {
                differences.push(difference);
            }
        }
        let (health, detail) = match different {
            0 => (Health::Ok, String::new()),
            _ if apart_ms > limits::STOCK_SIDES_APART_MS_MAX => (
                Health::Unknown,
                format!(
                    "the two sides were taken {apart_ms} ms apart, longer than rows are kept; verify again"
                ),
            ),
            _ => (
                Health::Bad,
                format!("{different} of {compared} sites and products differ"),
            ),
        };
        StockVerification {
            health: health.into(),
            detail,
            compared,
            differences,
        }
    }
}

impl Place {
    fn difference(&self, site: SiteKey, product: ProductId) -> Option<StockDifference> {
        let kept = self.kept.unwrap_or_default();
        let others = i128::from(kept.received) + i128::from(kept.adjusted);
        let expected = others - self.sold + self.voided;
        let agrees = i128::from(kept.sold) == self.sold
            && i128::from(kept.voided) == self.voided
            && i128::from(kept.on_hand) == expected;
        let site_code = || match self.code {
            Some(code) => code.to_string(),
            None => format!("site {site}, never imported"),
        };
        (!agrees).then(|| StockDifference {
            site_code: site_code(),
            product: product.to_string(),
            on_hand: kept.on_hand,
            expected: i64::try_from(expected).unwrap_or(i64::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const SITES: ShardId = ShardId(1);
    const CITIZENS: ShardId = ShardId(2);

    fn code() -> SiteCode {
        SiteCode::parse("P-1").unwrap()
    }

    fn product() -> ProductId {
        ProductId::parse("mask").unwrap()
    }

    fn stock(sold: u64, voided: u64) -> AuditRow {
        let kept = StockRecord {
            received: 250,
            adjusted: -3,
            sold,
            voided,
            on_hand: 247 - sold as i64 + voided as i64,
            ..StockRecord::default()
        };
        AuditRow::Stock((SiteKey::of(&code()), product()), Some(code()), kept)
    }

    fn sold(units: u64, voided: u64) -> AuditRow {
        AuditRow::Sold(code(), product(), units, voided)
    }

    fn row(seq: u64, moved: Moved) -> AuditRow {
        AuditRow::Row(seq, code(), product(), moved)
    }

    fn compare(sites: Vec<AuditRow>, citizens: Vec<AuditRow>) -> StockVerification {
        let mut comparison = Comparison::default();
        for row in sites {
            comparison.take_site_side(SITES, row);
        }
        for row in citizens {
            comparison.take_citizen_side(CITIZENS, row, |_| Some(SITES));
        }
        comparison.judge()
    }

    #[test]
    fn what_is_on_its_way_is_no_difference() {
        // The site has heard of rows up to 7; 8 and 9 are on their way.
        let sites = vec![AuditRow::Watermark(CITIZENS, 7), stock(10, 2)];
        let citizens = vec![
            sold(13, 3),
            row(7, Moved::Sold(2)),
            row(8, Moved::Sold(3)),
            row(9, Moved::Voided(1)),
        ];
        let judged = compare(sites.clone(), citizens.clone());
        assert_eq!(judged.health(), Health::Ok, "{judged:?}");
        assert_eq!(judged.compared, 1);

        // The same with a row lost, and with one applied twice.
        for (kept_sold, expected) in [(8, 239), (12, 239)] {
            let sites = vec![AuditRow::Watermark(CITIZENS, 7), stock(kept_sold, 2)];
            let judged = compare(sites, citizens.clone());
            assert_eq!(judged.health(), Health::Bad);
            let found = &judged.differences[0];
            assert_eq!(
                (found.site_code.as_str(), found.expected),
                ("P-1", expected)
            );
            assert_eq!(found.on_hand, 249 - kept_sold as i64);
        }
    }

    #[test]
    fn a_site_that_was_never_told_anything_is_found() {
        let judged = compare(vec![], vec![sold(2, 0)]);
        assert_eq!(judged.health(), Health::Bad);
        assert_eq!(
            (
                judged.differences[0].on_hand,
                judged.differences[0].expected
            ),
            (0, -2)
        );
        let judged = compare(vec![], vec![sold(2, 0), row(1, Moved::Sold(2))]);
        assert_eq!(judged.health(), Health::Ok, "it is on its way");
    }

    #[test]
    fn errors_that_cancel_out_are_found() {
        let judged = compare(
            vec![AuditRow::Watermark(CITIZENS, 7), stock(12, 4)],
            vec![sold(10, 2)],
        );
        assert_eq!(
            judged.health(),
            Health::Bad,
            "sold and voided are both wrong"
        );
    }

    #[test]
    fn sides_taken_too_far_apart_prove_nothing() {
        let late = AuditRow::Clock(1_000 + limits::STOCK_SIDES_APART_MS_MAX + 1);
        let sites = vec![AuditRow::Clock(1_000), stock(10, 0)];
        let judged = compare(sites.clone(), vec![late.clone(), sold(12, 0)]);
        assert_eq!(judged.health(), Health::Unknown);
        assert!(judged.detail.contains("verify again"), "{}", judged.detail);
        let judged = compare(sites, vec![late, sold(10, 0)]);
        assert_eq!(judged.health(), Health::Ok, "what agrees agrees");
    }

    #[test]
    fn a_silent_shard_leaves_it_unknown() {
        let mut comparison = Comparison::default();
        comparison.take_site_side(SITES, stock(10, 0));
        comparison.silent(CITIZENS, "no answer in time");
        let judged = comparison.judge();
        assert_eq!(judged.health(), Health::Unknown);
        assert!(judged.detail.contains("shard 2"), "{}", judged.detail);
    }

    #[test]
    fn the_list_of_differences_is_bounded() {
        let sold = |number: usize| {
            let code = SiteCode::parse(&format!("P-{number}")).unwrap();
            AuditRow::Sold(code, product(), 1, 0)
        };
        let judged = compare(vec![], (0..150).map(sold).collect());
        assert_eq!(judged.differences.len(), limits::STOCK_DIFFERENCES_SHOWN);
        assert_eq!(judged.compared, 150);
        assert!(judged.detail.starts_with("150 of 150"), "{}", judged.detail);
    }
}
