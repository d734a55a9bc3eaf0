//! One site as the public may know it: what seldom changes, and what every sale changes.
//!
//! State owned: a site's present state, behind a lock that is held only to copy a few words or one
//! rendered row. Invariants: a profile never changes in place (a changed site is another [`Site`]), so
//! indexes stay true to what they point at; the rendered row always belongs to the state beside it.

use std::sync::{
    PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicBool, Ordering},
};

use jiff::tz::TimeZone;
use quorate_proto::ids::{ProductId, SiteCode, SiteType};
use serde::Serialize;

use crate::public::legacy;

/// Where a site is: degrees, WGS 84.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Location {
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
}

impl Location {
    /// `None`: no place on Earth.
    pub(crate) fn new(latitude: f64, longitude: f64) -> Option<Location> {
        let is_place = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        is_place.then_some(Location {
            latitude,
            longitude,
        })
    }
}

/// What a site is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Profile {
    pub(crate) code: SiteCode,
    pub(crate) name: Box<str>,
    pub(crate) address: Box<str>,
    pub(crate) site_type: SiteType,
    /// Province or metropolitan city; empty where it is not known.
    pub(crate) region: Box<str>,
    pub(crate) location: Option<Location>,
}

/// One product at one site, as far as the public may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stock {
    /// Whether the site has ever said anything about it. Sales alone say nothing: they leave a count
    /// below zero that means nothing to the public.
    pub(crate) is_reported: bool,
    pub(crate) on_hand: i64,
    pub(crate) held: u32,
    pub(crate) sales_stopped: bool,
    /// When goods last came in, Unix milliseconds.
    pub(crate) received_ms: Option<i64>,
    /// Unix milliseconds.
    pub(crate) updated_ms: i64,
}

/// How much is left, as the public has known it since 2020.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// 100 and more.
    Plenty,
    /// 30 to 99.
    Some,
    /// 2 to 29.
    Few,
    /// 0 or 1.
    Empty,
    /// The site has stopped its sale.
    Break,
}

impl Stock {
    /// What somebody who comes now may hope for: on hand minus held.
    pub(crate) fn available(&self) -> u64 {
        let left = self.on_hand.saturating_sub(i64::from(self.held));
        u64::try_from(left).unwrap_or(0)
    }

    pub(crate) fn level(&self) -> Level {
        if self.sales_stopped {
            return Level::Break;
        }
        match self.available() {
            0..=1 => Level::Empty,
            2..=29 => Level::Few,
            30..=99 => Level::Some,
            100.. => Level::Plenty,
        }
    }
}

/// What a node says of one site.
#[derive(Clone, Debug)]
pub(crate) struct SiteNews {
    pub(crate) profile: Profile,
    pub(crate) suspended: bool,
    pub(crate) notice: Box<str>,
    /// Last change of profile, suspension or notice, Unix milliseconds.
    pub(crate) updated_ms: i64,
    pub(crate) products: Box<[(ProductId, Stock)]>,
}

/// How stock is shown where a request says nothing.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// `None`: no program is known yet.
    pub(crate) product: Option<ProductId>,
    /// By which the frozen API writes its times.
    pub(crate) zone: TimeZone,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) profile: Profile,
    now: RwLock<Now>,
    is_queued: AtomicBool,
}

/// What changes.
#[derive(Debug)]
pub(crate) struct Now {
    pub(crate) suspended: bool,
    pub(crate) notice: Box<str>,
    updated_ms: i64,
    products: Box<[(ProductId, Stock)]>,
    /// Number of the change that made it so; no two states of this process share one.
    pub(crate) version: u64,
    /// The row of the frozen API; empty where no public is served.
    pub(crate) legacy: Box<str>,
}

impl Now {
    pub(crate) fn stock(&self, product: Option<&ProductId>) -> Option<&Stock> {
        let of = |(id, _): &&(ProductId, Stock)| Some(id) == product;
        self.products.iter().find(of).map(|(_, stock)| stock)
    }

    /// Every product that the site has.
    pub(crate) fn products(&self) -> impl Iterator<Item = (&ProductId, &Stock)> {
        self.products.iter().map(|(id, stock)| (id, stock))
    }

    /// Last change of anything about the site and this stock, Unix milliseconds.
    pub(crate) fn updated_ms(&self, stock: Option<&Stock>) -> i64 {
        stock.map_or(self.updated_ms, |stock| {
            stock.updated_ms.max(self.updated_ms)
        })
    }
}

impl Site {
    /// `shown` is `None` where no public is served.
    pub(super) fn new(news: SiteNews, version: u64, shown: Option<&Shown>) -> Site {
        let site = Site {
            profile: news.profile,
            now: RwLock::new(Now {
                suspended: news.suspended,
                notice: news.notice,
                updated_ms: news.updated_ms,
                products: news.products,
                version,
                legacy: Box::default(),
            }),
            is_queued: AtomicBool::new(false),
        };
        site.show(shown);
        site
    }

    pub(crate) fn now(&self) -> RwLockReadGuard<'_, Now> {
        // No code panics while it holds the lock.
        self.now.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in news of the same profile. Returns whether anything is new.
    pub(super) fn update(&self, news: SiteNews, version: u64, shown: Option<&Shown>) -> bool {
        let mut now = self.write();
        let is_same = now.suspended == news.suspended
            && now.notice == news.notice
            && now.updated_ms == news.updated_ms
            && now.products == news.products;
        if is_same {
            return false;
        }
        now.suspended = news.suspended;
        now.notice = news.notice;
        now.updated_ms = news.updated_ms;
        now.products = news.products;
        now.version = version;
        self.render(&mut now, shown);
        true
    }

    /// Renders the row anew.
    pub(super) fn show(&self, shown: Option<&Shown>) {
        self.render(&mut self.write(), shown);
    }

    fn render(&self, now: &mut Now, shown: Option<&Shown>) {
        let Some(shown) = shown else {
            return;
        };
        let stock = now.stock(shown.product.as_ref());
        now.legacy = legacy::row(&self.profile, stock, &shown.zone).into_boxed_str();
    }

    fn write(&self) -> RwLockWriteGuard<'_, Now> {
        self.now.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks the site as waiting to be told of. Returns whether it was not.
    pub(super) fn enqueue(&self) -> bool {
        !self.is_queued.swap(true, Ordering::AcqRel)
    }

    /// Takes the mark away; to be called before the site is read.
    pub(super) fn dequeue(&self) {
        self.is_queued.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock(on_hand: i64, held: u32) -> Stock {
        Stock {
            is_reported: true,
            on_hand,
            held,
            sales_stopped: false,
            received_ms: None,
            updated_ms: 0,
        }
    }

    #[test]
    fn levels_are_those_of_2020_and_count_held_tickets() {
        for (on_hand, held, level) in [
            (-3, 0, Level::Empty),
            (0, 0, Level::Empty),
            (1, 0, Level::Empty),
            (2, 0, Level::Few),
            (29, 0, Level::Few),
            (30, 0, Level::Some),
            (99, 0, Level::Some),
            (100, 0, Level::Plenty),
            (129, 30, Level::Some),
            (100, 100, Level::Empty),
            (100, 200, Level::Empty),
        ] {
            assert_eq!(stock(on_hand, held).level(), level, "{on_hand} - {held}");
        }
        let stopped = Stock {
            sales_stopped: true,
            ..stock(500, 0)
        };
        assert_eq!(stopped.level(), Level::Break);
        assert_eq!(stopped.available(), 500);
    }

    #[test]
    fn a_place_is_on_earth() {
        assert!(Location::new(37.5, 127.0).is_some());
        for (latitude, longitude) in [(91.0, 0.0), (0.0, 181.0), (f64::NAN, 0.0), (0.0, f64::NAN)] {
            assert!(Location::new(latitude, longitude).is_none());
        }
    }
}
