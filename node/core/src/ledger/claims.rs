//! What is known of a person, as far as rules ask.

use quorate_proto::ids::GroundId;

/// What an ID says of its holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Full year of birth; `None`: the ID does not say.
    pub birth_year: Option<u16>,
    /// Last digit of the ID; `None`: it has none.
    pub id_digit: Option<u8>,
}

/// Somebody buys for the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// On what ground.
    pub ground: GroundId,
    /// What the buyer's ID says; `None`: it was not given.
    pub buyer: Option<Claims>,
}
