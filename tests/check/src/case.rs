//! One citizen's part of a history, sorted out: requests with all their attempts, sales, operations.
//!
//! An operation is what a model can be fed: a read, or all attempts of one request together. What the rule says
//! of windows is worked out here, once, so that the searches only add up.

mod attempts;
mod operation;

use quorate_proto::ids::RequestId;

pub(crate) use self::{
    attempts::{Request, fits, is_answered_read, requests},
    operation::{Act, Answer, Operation, Stamp, Told},
};
use crate::{
    calendar::{Calendar, Frame},
    history::{Call, Record, Window},
    model::{Sale, Terms},
};

/// What all citizens of a run share.
#[derive(Clone, Debug)]
pub(crate) struct Run<'r> {
    pub(crate) calendar: Calendar<'r>,
    /// An instant in every window that any verdict of the run names, with that window; `None`: closed.
    pub(crate) windows: &'r [(i64, Option<Window>)],
}

/// One citizen's part of a history.
pub(crate) struct Case<'h> {
    pub(crate) citizen: u64,
    pub(crate) born: Option<u16>,
    /// Place in the history, and the record itself; in the order of the history.
    pub(crate) records: &'h [(usize, &'h Record)],
    /// Ascending by id; a sale and a slip of one id are two.
    pub(crate) requests: Vec<Request<'h>>,
    /// Ascending by id: every sale that was ever asked for.
    ids: Vec<RequestId>,
    pub(crate) sales: Vec<Sale>,
}

impl<'h> Case<'h> {
    pub(crate) fn new(citizen: u64, born: Option<u16>, records: &'h [(usize, &'h Record)]) -> Self {
        let requests = requests(records);
        let mut case = Self {
            citizen,
            born,
            records,
            requests,
            ids: Vec::new(),
            sales: Vec::new(),
        };
        case.list_sales();
        case
    }

    /// Every request that is a sale or a slip; its time is that of the answer that recorded it.
    fn list_sales(&mut self) {
        for request in &self.requests {
            let (quantity, at_ms) = match *request.call {
                Call::Sell { quantity, .. } => {
                    let verdict = request.verdict().filter(|verdict| verdict.granted());
                    (quantity, verdict.map(|verdict| verdict.decided_ms))
                }
                Call::Slip {
                    quantity, sold_ms, ..
                } => (quantity, Some(sold_ms)),
                _ => continue,
            };
            if self.ids.last() == Some(&request.id) {
                // Tried online and then sold on paper. What was granted online keeps its time.
                if let Some(known) = self.sales.last_mut() {
                    known.at_ms = known.at_ms.or(at_ms);
                }
                continue;
            }
            self.ids.push(request.id);
            self.sales.push(Sale { quantity, at_ms });
        }
    }

    /// The place of a sale in the table.
    pub(crate) fn sale(&self, id: RequestId) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    pub(crate) fn sale_id(&self, sale: usize) -> RequestId {
        self.ids[sale]
    }

    /// All attempts of a request of this id that asks for goods.
    pub(crate) fn sale_requests(&self, id: RequestId) -> &[Request<'h>] {
        let from = self.requests.partition_point(|request| request.id < id);
        let same = self.requests[from..].partition_point(|request| request.id == id);
        &self.requests[from..from + same]
    }

    /// What the rule says at an instant. `answered`: the window that an answer names, where one does.
    pub(crate) fn terms(&self, run: &mut Run<'_>, at_ms: i64, answered: Option<Window>) -> Terms {
        let (rule, window) = match run.calendar.frame(at_ms) {
            Frame::Closed => {
                return Terms {
                    closed: true,
                    ..Terms::default()
                };
            }
            Frame::Open { rule, window } => (rule, Some(window)),
            Frame::AsAnswered { rule } => {
                let known = || {
                    let mut windows = run.windows.iter().filter_map(|(_, window)| *window);
                    windows.find(|window| window.contains(at_ms))
                };
                (rule, answered.or_else(known))
            }
        };
        let inside = |sale: &Sale| match (sale.at_ms, window) {
            (Some(at_ms), Some(window)) => window.contains(at_ms),
            _ => true,
        };
        let places = self.sales.iter().enumerate();
        Terms {
            closed: false,
            limit: rule.limit_for(self.born),
            single_visit: rule.single_visit,
            may_deny: rule.may_deny.clone(),
            counted: places
                .filter(|(_, sale)| inside(sale))
                .map(|(place, _)| place)
                .collect(),
        }
    }
}
