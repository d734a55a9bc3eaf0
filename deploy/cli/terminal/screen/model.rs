//! What the screen knows.

use jiff::tz::TimeZone;
use quorate_client::{
    ReadError, Rejection, WriteError,
    model::{NationalId, Recorded, Sale, SlipAnswer, Undo, Verdict, Voided},
};
use quorate_proto::{
    ids::{GroundId, RequestId},
    status::ErrorReason,
};
use quorate_terminal::{PaperReceipt, SellError};
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
    Failed(Trouble),
}

/// Why there is no answer.
pub(super) struct Trouble {
    pub(super) kind: TroubleKind,
    /// What was found wrong, if a gateway found it.
    pub(super) reason: Option<ErrorReason>,
    /// The same in words.
    pub(super) message: String,
}

/// What the clerk may make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TroubleKind {
    /// What was entered is wrong: nothing was recorded.
    Refused,
    /// Nobody answered: nothing was recorded.
    Unanswered,
    /// It may have been recorded.
    Unknown,
}

impl Trouble {
    fn new(kind: TroubleKind, error: &dyn std::error::Error) -> Self {
        Self {
            kind,
            reason: None,
            message: error.to_string(),
        }
    }

    fn refused(rejection: &Rejection) -> Self {
        Self {
            reason: rejection.reason,
            ..Self::new(TroubleKind::Refused, rejection)
        }
    }
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Rejected(rejection) => Self::refused(rejection),
            _ => Self::new(TroubleKind::Unanswered, &error),
        }
    }
}

impl From<WriteError> for Trouble {
    fn from(error: WriteError) -> Self {
        match &error {
            WriteError::Rejected(rejection) => Self::refused(rejection),
            WriteError::OutcomeUnknown { .. } => Self::new(TroubleKind::Unknown, &error),
            WriteError::Session(_) | WriteError::Unavailable(_) => {
                Self::new(TroubleKind::Unanswered, &error)
            }
        }
    }
}

impl From<SellError> for Trouble {
    fn from(error: SellError) -> Self {
        match error {
            SellError::Refused(error) => error.into(),
            SellError::Shape(_) => Self {
                reason: Some(ErrorReason::InvalidCitizenId),
                ..Self::new(TroubleKind::Refused, &error)
            },
            SellError::NoKey | SellError::Seal(_) | SellError::Journal(_) => {
                Self::new(TroubleKind::Unanswered, &error)
            }
        }
    }
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
    Checked(Result<Verdict, Trouble>, u32),
    SoldOnline(Box<Recorded>, Box<Sale>),
    SoldOnPaper(PaperReceipt, u32),
    NotSold(Trouble),
    Undone(Result<Voided, Trouble>),
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
