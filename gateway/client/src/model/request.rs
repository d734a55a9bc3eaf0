//! What is asked for.

use std::fmt;

use quorate_proto::{
    ids::{GroundId, ProductId, ProgramId, RequestId},
    v1,
};
use zeroize::Zeroizing;

/// A national ID on its way to a gateway. Cannot be printed; wiped when dropped.
#[derive(Clone)]
pub struct NationalId {
    scheme: String,
    number: Zeroizing<String>,
}

impl NationalId {
    /// The Korean resident registration number.
    pub const KR_RRN: &'static str = "KR-RRN";

    /// A number as written on the card. The gateway judges it.
    #[must_use]
    pub fn new(scheme: impl Into<String>, number: impl Into<String>) -> Self {
        Self {
            scheme: scheme.into(),
            number: Zeroizing::new(number.into()),
        }
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The number in the clear; stays in this crate.
    pub(crate) fn number(&self) -> &str {
        &self.number
    }

    pub(crate) fn to_wire(&self) -> v1::CitizenId {
        v1::CitizenId {
            scheme: self.scheme.clone(),
            number: String::clone(&self.number),
        }
    }
}

impl fmt::Debug for NationalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NationalId")
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

/// A sale to check or to record.
#[derive(Clone, Debug)]
pub struct Sale {
    /// Whose ration.
    pub citizen: NationalId,
    /// Of which program.
    pub program: ProgramId,
    /// `None`: the program's first product.
    pub product: Option<ProductId>,
    /// Whole units.
    pub quantity: u32,
    /// Set when somebody else buys for the person.
    pub proxy: Option<Proxy>,
}

impl Sale {
    /// A sale of the program's first product to the person who stands there.
    #[must_use]
    pub const fn new(citizen: NationalId, program: ProgramId, quantity: u32) -> Self {
        Self {
            citizen,
            program,
            product: None,
            quantity,
            proxy: None,
        }
    }
}

/// Somebody who buys for another, whose ration is charged.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// One of the grounds that the rule in force lists; the clerk has seen the papers.
    pub ground: GroundId,
    /// Needed only where the rule lets either person's day count; never recorded.
    pub buyer: Option<NationalId>,
}

impl Proxy {
    pub(crate) fn to_wire(&self) -> v1::Proxy {
        v1::Proxy {
            ground: self.ground.to_string(),
            buyer: self.buyer.as_ref().map(NationalId::to_wire),
        }
    }
}

/// A sale to undo.
#[derive(Clone, Debug)]
pub struct Undo {
    /// Whose ration.
    pub citizen: NationalId,
    /// Of which program.
    pub program: ProgramId,
    /// The request that recorded the sale.
    pub sale_request_id: RequestId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_national_id_is_not_printed() {
        let id = NationalId::new(NationalId::KR_RRN, "900101-1234568");
        let printed = format!("{id:?}");
        assert!(printed.contains("KR-RRN") && !printed.contains("900101"));
    }
}
