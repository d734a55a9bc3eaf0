//! While the demo runs: whoever ends unasked is reported, and the rest goes on as long as it is of use.

use super::{
    checklist::Checklist,
    children::{Children, Ended, Who},
};
use crate::exit::Failure;

/// Ends when no node or no gateway is left; never with success.
pub(super) async fn supervise(
    children: &mut Children,
    checklist: &Checklist,
) -> Result<(), Failure> {
    loop {
        let ended = children.next_end().await;
        report(&ended, children, checklist);
        if !children.has(|who| matches!(who, Who::Node(_))) {
            return Err(Failure::unexpected("all nodes have ended"));
        }
        if !children.has(|who| matches!(who, Who::Gateway(_))) {
            return Err(Failure::unexpected(format!(
                "{} {}, and there is no other",
                ended.who.name(),
                ended.how
            )));
        }
    }
}

fn report(ended: &Ended, children: &Children, checklist: &Checklist) {
    checklist.failed(&format!(
        "{} {}; the others go on",
        ended.who.name(),
        ended.how
    ));
    checklist.quote(&ended.log);
    let config = children.config_file(ended.who);
    let command = match ended.who {
        Who::Node(_) => "node",
        Who::Gateway(_) => "gateway",
    };
    checklist.note(&format!(
        "start it again in another terminal: quorate {command} --config {}",
        config.display()
    ));
}
