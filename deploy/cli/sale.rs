//! What `check`, `sell` and whatever else sells have in common: who, what, how much, for whom.

use clap::Args;
use quorate_client::model::{Proxy, Sale};
use quorate_proto::ids::{GroundId, ProductId, ProgramId};
use zeroize::Zeroizing;

use crate::{
    citizen::{CitizenArg, parse_quantity, read_id},
    exit::Failure,
    reach::Reach,
};

#[derive(Args)]
pub(crate) struct SaleArgs {
    #[command(flatten)]
    citizen: CitizenArg,

    /// Units
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        allow_negative_numbers = true, value_parser = parse_quantity)]
    pub(crate) qty: u32,

    /// The program [default: the context's]
    #[arg(long, value_name = "ID")]
    program: Option<ProgramId>,

    /// The product [default: the program's first]
    #[arg(long, value_name = "ID")]
    product: Option<ProductId>,

    /// Somebody else buys for the person, on this ground of the rule in force, such as `family`
    #[arg(long, value_name = "GROUND")]
    proxy: Option<GroundId>,

    /// The buyer's national ID, or `-` for the next line of standard input; needed where the rule lets
    /// the buyer's day count, and never recorded
    #[arg(
        long,
        value_name = "ID",
        requires = "proxy",
        allow_hyphen_values = true
    )]
    buyer: Option<Zeroizing<String>>,
}

/// Prints no ID.
impl std::fmt::Debug for SaleArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SaleArgs")
            .field("qty", &self.qty)
            .field("program", &self.program)
            .field("product", &self.product)
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}

impl SaleArgs {
    /// The sale that is meant.
    pub(crate) fn read(self, reach: &Reach) -> Result<Sale, Failure> {
        let scheme = &reach.context.value.id_scheme;
        let citizen = self.citizen.read(scheme)?;
        let buyer = self.buyer.map(|id| read_id(&id, scheme)).transpose()?;
        Ok(Sale {
            product: self.product,
            proxy: self.proxy.map(|ground| Proxy { ground, buyer }),
            ..Sale::new(citizen, reach.program(self.program)?, self.qty)
        })
    }
}
