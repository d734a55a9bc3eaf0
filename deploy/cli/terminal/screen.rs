//! `quorate terminal`: the counter's screen.
//!
//! Laws: what is shown is a function of the model ([`view`]); what happens next is a function of the model and one
//! event ([`update`]); only [`run`] touches the terminal and the network. The ID is shown while it is typed, masked
//! afterwards, wiped with the next customer, and never in a message.

mod model;
mod run;
#[cfg(test)]
mod tests;
mod update;
mod view;
mod words;

pub(super) use run::run;
pub(crate) use words::Lang;
