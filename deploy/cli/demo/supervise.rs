//! While the demo runs: whoever ends unasked is reported, and the rest goes on as long as it is of use.

use super::{
    checklist::Checklist,
    children::{Children, Ended, Who},
};
use crate::exit::Failure;

/// Ends when no node is left; never with success. Gateways keep nothing: one can be stopped and started
/// again while counters sell on paper.
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
    }
}

fn report(ended: &Ended, children: &Children, checklist: &Checklist) {
    let others = match children.has(|who| matches!(who, Who::Gateway(_))) {
        true => "the others go on",
        false => "no gateway is left: counters sell on paper",
    };
    checklist.failed(&format!("{} {}; {others}", ended.who.name(), ended.how));
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
