//! The ration as ten lines that cannot be wrong: one citizen, one program, one window.
//!
//! Pure and sequential. Deliberately absent: request ids seen before. Whoever replays a history knows
//! which replies repeat an earlier one.

use std::collections::BTreeMap;

use quorate_proto::ids::RequestId;

use crate::history::Rule;

/// What one citizen bought in one window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Account {
    sales: BTreeMap<RequestId, Sale>,
}

/// One granted sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sale {
    /// The request that recorded it.
    pub request: RequestId,
    /// Units.
    pub quantity: u32,
    /// Undone since.
    pub voided: bool,
    /// Made on paper: recorded whatever the rule said.
    pub paper: bool,
}

/// What the model decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Granted or denied; for a void, done or refused.
    pub granted: bool,
    /// Units available afterwards.
    pub remaining: u32,
}

/// What the model says of a slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlipDecision {
    /// Units above what was left; 0: within the ration.
    pub over_by: u32,
    /// Units available afterwards.
    pub remaining: u32,
}

impl Account {
    /// Every sale, by request.
    pub fn sales(&self) -> impl Iterator<Item = &Sale> {
        self.sales.values()
    }

    /// The sale that this request recorded.
    #[must_use]
    pub fn sale(&self, request: RequestId) -> Option<&Sale> {
        self.sales.get(&request)
    }

    /// Units taken and not given back.
    #[must_use]
    pub fn used(&self) -> u32 {
        let kept = self.sales().filter(|sale| !sale.voided);
        kept.map(|sale| sale.quantity).sum()
    }

    /// Units still available.
    #[must_use]
    pub fn remaining(&self, rule: Rule) -> u32 {
        rule.limit.saturating_sub(self.used())
    }

    /// May this citizen take that many?
    #[must_use]
    pub fn check(&self, rule: Rule, quantity: u32) -> Decision {
        let remaining = self.remaining(rule);
        Decision {
            granted: quantity <= remaining,
            remaining,
        }
    }

    /// Decides and records.
    pub fn sell(&mut self, rule: Rule, request: RequestId, quantity: u32) -> Decision {
        let granted = self.check(rule, quantity).granted;
        if granted {
            let sale = Sale {
                request,
                quantity,
                voided: false,
                paper: false,
            };
            self.sales.insert(request, sale);
        }
        Decision {
            granted,
            remaining: self.remaining(rule),
        }
    }

    /// Records a slip, whatever the rule says of it. Granted: within the ration. Recorded before: nothing.
    pub fn hand_in(&mut self, rule: Rule, request: RequestId, quantity: u32) -> SlipDecision {
        let over_by = quantity.saturating_sub(self.remaining(rule));
        self.sales.entry(request).or_insert(Sale {
            request,
            quantity,
            voided: false,
            paper: true,
        });
        SlipDecision {
            over_by,
            remaining: self.remaining(rule),
        }
    }

    /// The account as if it held only some of its sales.
    #[must_use]
    pub fn with_only(&self, wanted: impl Fn(&Sale) -> bool) -> Self {
        let sales = self.sales.iter().filter(|(_, sale)| wanted(sale));
        Self {
            sales: sales.map(|(request, sale)| (*request, *sale)).collect(),
        }
    }

    /// Holds a sale that was decided elsewhere.
    pub fn put(&mut self, sale: Sale) {
        self.sales.insert(sale.request, sale);
    }

    /// Undoes a sale, once.
    pub fn void(&mut self, rule: Rule, request: RequestId) -> Decision {
        let open = self.sales.get_mut(&request).filter(|sale| !sale.voided);
        let granted = open.map(|sale| sale.voided = true).is_some();
        Decision {
            granted,
            remaining: self.remaining(rule),
        }
    }
}
