//! What the screen knows.

use jiff::tz::TimeZone;
use quorate_client::model::{NationalId, Recorded, Sale, SlipAnswer, Undo, Verdict, Voided};
use quorate_proto::ids::{GroundId, RequestId};
use quorate_terminal::PaperReceipt;
use zeroize::Zeroizing;

use super::words::Lang;

/// Longest ID that is typed, characters: 13 digits and a hyphen, or a voucher.
pub(super) const ID_CHARACTERS_MAX: usize = 32;

/// Largest quantity that is typed; what may be sold is for the cluster to say.
pub(super) const QUANTITY_MAX: u32 = 999;

pub(super) struct Model {
    pub(super) lang: Lang,
    /// Site and device.
    pub(super) place: String,
    pub(super) zone: TimeZone,
    /// As typed, without hyphens.
    pub(super) id: Zeroizing<String>,
    /// Whether the ID was entered: it is masked, and a new one begins with the next digit.
    pub(super) entered: bool,
    pub(super) quantity: u32,
    /// On what grounds somebody may buy for another.
    pub(super) grounds: Vec<GroundId>,
    /// Which of them is chosen.
    pub(super) ground: Option<usize>,
    pub(super) answer: Answer,
    /// The last sale that can be undone.
    pub(super) last_sale: Option<LastSale>,
    pub(super) waiting: usize,
    /// The newest first.
    pub(super) slips: Vec<SlipLine>,
    pub(super) shows_slips: bool,
    pub(super) stock: Option<StockLine>,
}

/// A sale of this counter, as long as its customer may still stand there.
pub(super) struct LastSale {
    pub(super) undo: Undo,
}

pub(super) struct SlipLine {
    pub(super) sequence: u64,
    pub(super) sold_at_ms: i64,
    pub(super) quantity: u32,
    /// `None`: not yet handed in.
    pub(super) answer: Option<SlipAnswer>,
    pub(super) last_try: Option<String>,
}

#[derive(Clone, Copy)]
pub(super) struct StockLine {
    pub(super) on_hand: i64,
    pub(super) held: u32,
}

/// The big words.
pub(super) enum Answer {
    Ready,
    Asking,
    Checked {
        verdict: Verdict,
        quantity: u32,
    },
    Sold {
        recorded: Recorded,
        quantity: u32,
    },
    OnPaper {
        receipt: PaperReceipt,
        quantity: u32,
    },
    Undone(Voided),
    /// No answer, in the words of the error.
    Failed(String),
}

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Character(char),
    Backspace,
    Enter,
    Escape,
    More,
    Less,
    Sell,
    Undo,
    Ground,
    Slips,
    HandIn,
    Language,
    Quit,
}

/// What happened.
pub(super) enum Event {
    Key(Key),
    Checked(Result<Verdict, String>, u32),
    SoldOnline(Box<Recorded>, Box<Sale>),
    SoldOnPaper(PaperReceipt, u32),
    NotSold(String),
    Undone(Result<Voided, String>),
    Journal {
        waiting: usize,
        slips: Vec<SlipLine>,
    },
    Stock(StockLine),
    /// The size changed: draw again.
    Redraw,
}

/// What is to be done now.
#[derive(Debug)]
pub(super) enum Act {
    Check(NationalId, u32, Option<GroundId>),
    Sell(NationalId, u32, Option<GroundId>),
    Undo(Undo),
    HandIn,
    Quit,
}

impl LastSale {
    pub(super) fn of(sale: &Sale, request_id: RequestId) -> Self {
        Self {
            undo: Undo {
                citizen: sale.citizen.clone(),
                program: sale.program,
                sale_request_id: request_id,
            },
        }
    }
}
