//! What a site has, and what it says of itself: goods in, corrections, number tickets, `break`, the notice.
//!
//! Sales are not entered here: they come from the citizens' shards, see [`super::deliver`].
//!
//! Invariants: on hand is a sum and is never set; a change that is repeated inside the retention time
//! changes nothing. Deliberately absent: whether a product is rationed at all, which the gateway knows.

use quorate_proto::ids::{DeviceId, ProductId, RequestId, SiteCode, SiteKey};

use super::{
    batch::Step,
    outcome::{AdjustmentReason, CommandError, CommandErrorKind, Outcome, StockOutcome},
    record::SiteRecord,
    sale::conflict,
    state,
};
use crate::{error::CoreError, keys, limits};

/// One product at one site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StockRecord {
    /// Units that came in since the site was created.
    pub received: u64,
    /// Sum of all adjustments.
    pub adjusted: i64,
    /// Units sold, undone sales included.
    pub sold: u64,
    /// Units of undone sales.
    pub voided: u64,
    /// Units that the number tickets handed out take.
    pub held: u32,
    /// The site has stopped selling it: the public sees `break`.
    pub sales_stopped: bool,
    /// When goods last came in, Unix milliseconds.
    pub last_received_ms: Option<i64>,
    /// Last change of any kind, Unix milliseconds.
    pub updated_at_ms: i64,
}

impl StockRecord {
    /// Received + adjusted - sold + voided. Below 0 where goods were sold before they were entered.
    #[must_use]
    pub fn on_hand(&self) -> i64 {
        // 2^63 units are beyond any site: a change moves at most a million, and what is read is checked.
        let sum = self.on_hand_if_any();
        sum.expect("a site's units are fewer than 2^63")
    }

    /// The same of counts that nobody has checked; `None`: no site can have so much.
    pub(crate) fn on_hand_if_any(&self) -> Option<i64> {
        let into = i128::from(self.received) + i128::from(self.voided);
        i64::try_from(into - i128::from(self.sold) + i128::from(self.adjusted)).ok()
    }
}

/// A site changes something by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeStock {
    /// The site; it must be known.
    pub site_code: SiteCode,
    /// Who, when and what. The time is stamped when it is applied.
    pub change: StockChange,
}

/// One change, as it is kept to know its repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockChange {
    /// Names the change.
    pub request_id: RequestId,
    /// Unix milliseconds; 0 in a command.
    pub at_ms: i64,
    /// The device that asked, if one did.
    pub device_id: Option<DeviceId>,
    /// What.
    pub kind: StockChangeKind,
}

/// What a site changes by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StockChangeKind {
    /// Goods came in: 1 to [`limits::STOCK_QUANTITY_MAX`].
    Received(ProductId, u32),
    /// The count was wrong, or goods left without a sale.
    Adjusted(ProductId, StockAdjustment),
    /// Units that number tickets take, at most [`limits::STOCK_QUANTITY_MAX`].
    Held(ProductId, u32),
    /// Whether the site has stopped selling.
    SalesStopped(ProductId, bool),
    /// A line for the public; empty takes it away.
    Notice(String),
}

impl StockChangeKind {
    /// The product it is about.
    #[must_use]
    pub fn product(&self) -> Option<ProductId> {
        match self {
            Self::Received(product, _)
            | Self::Adjusted(product, _)
            | Self::Held(product, _)
            | Self::SalesStopped(product, _) => Some(*product),
            Self::Notice(_) => None,
        }
    }
}

/// A correction of the count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockAdjustment {
    /// Units; not 0, at most [`limits::STOCK_QUANTITY_MAX`] either way.
    pub delta: i32,
    /// Why.
    pub reason: AdjustmentReason,
    /// In words.
    pub note: String,
}

/// What a site changed inside the retention time, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StockJournal {
    /// Ascending by time.
    pub changes: Vec<StockChange>,
}

/// Applies a change, or repeats the answer of the same request with the stock as it is now.
pub(super) fn change(step: &mut Step<'_, '_>, command: &ChangeStock) -> Result<Outcome, CoreError> {
    let site = SiteKey::of(&command.site_code);
    if let Err(error) = step.check_owner(site.position()) {
        return Ok(error.into());
    }
    let site_row = keys::site_at(&site);
    let Some(record) = state::load_site(&*step.overlay, &site_row)? else {
        return Ok(Outcome::Stock(StockOutcome::SiteUnknown));
    };
    let journal_row = keys::journal(&site);
    let mut journal = state::load_journal(&*step.overlay, &journal_row)?;
    forget(&mut journal, step.now_ms);

    let kind = &command.change.kind;
    let same_id = |change: &&StockChange| change.request_id == command.change.request_id;
    let repeated = match journal.changes.iter().find(same_id) {
        Some(earlier) if earlier.kind != *kind => {
            return Ok(conflict("another change of the site's stock").into());
        }
        found => found.is_some(),
    };
    let stock = match kind.product() {
        None => None,
        Some(product) => {
            let row = keys::stock(&site, &product);
            let known = state::load_stock(&*step.overlay, &row)?;
            if known.is_none() && !repeated && is_full(step, &site)? {
                return Ok(too_many_products().into());
            }
            let mut stock = known.unwrap_or_default();
            if !repeated {
                apply(&mut stock, kind, step.now_ms);
                state::store_stock(step.overlay, row, &stock);
            }
            Some((product, stock))
        }
    };
    if !repeated {
        if let StockChangeKind::Notice(notice) = kind {
            set_notice(step, site_row, record, notice);
        }
        let mut change = command.change.clone();
        change.at_ms = step.now_ms;
        journal.changes.push(change);
        state::store_journal(step.overlay, journal_row, &journal);
    }
    Ok(Outcome::Stock(StockOutcome::Answered { stock, repeated }))
}

fn apply(stock: &mut StockRecord, kind: &StockChangeKind, now_ms: i64) {
    stock.updated_at_ms = now_ms;
    match kind {
        StockChangeKind::Received(_, quantity) => {
            stock.received += u64::from(*quantity);
            stock.last_received_ms = Some(now_ms);
        }
        StockChangeKind::Adjusted(_, adjustment) => stock.adjusted += i64::from(adjustment.delta),
        StockChangeKind::Held(_, held) => stock.held = *held,
        StockChangeKind::SalesStopped(_, stopped) => stock.sales_stopped = *stopped,
        StockChangeKind::Notice(_) => {}
    }
}

fn set_notice(step: &mut Step<'_, '_>, row: Vec<u8>, mut record: SiteRecord, notice: &str) {
    if record.notice != notice {
        record.notice = notice.to_owned();
        record.updated_at_ms = step.now_ms;
        state::store_site(step.overlay, row, record);
    }
}

/// Drops what is older than the retention time, and the oldest where there are too many to add one.
fn forget(journal: &mut StockJournal, now_ms: i64) {
    let forgotten_ms = now_ms.saturating_sub(limits::RETENTION_MS);
    let changes = &mut journal.changes;
    let old = changes.partition_point(|change| change.at_ms <= forgotten_ms);
    let surplus = (changes.len() + 1).saturating_sub(limits::STOCK_CHANGES_KEPT_MAX);
    changes.drain(..old.max(surplus));
}

fn is_full(step: &Step<'_, '_>, site: &SiteKey) -> Result<bool, CoreError> {
    Ok(state::load_stocks(&*step.overlay, site)?.len() >= limits::SITE_PRODUCTS_MAX)
}

fn too_many_products() -> CommandError {
    let why = format!(
        "the site keeps {} products already, and no more",
        limits::SITE_PRODUCTS_MAX
    );
    CommandError::new(CommandErrorKind::TooMany, why)
}
