#![allow(clippy::unwrap_used, reason = "tests")]

use super::valid::{CHALLENGE, SESSION_TOKEN, SIGNATURE};
use super::*;

#[test]
fn what_fuzzers_start_from_is_valid() {
    let tokens = Tokens::new(&KEY, CLUSTER_ID).unwrap();
    let session = tokens.verify(SESSION_TOKEN, NOW_MS).unwrap();
    assert_eq!(session.device.as_str(), "till-1");

    let (site, device) = (SiteCode::parse("P-1").unwrap(), session.device);
    let challenger = Challenger::new(&KEY, CLUSTER_ID);
    assert_eq!(challenger.check(&CHALLENGE, &site, &device, NOW_MS), Ok(()));
    assert!(signed_by(&DEVICE, &CHALLENGE, &SIGNATURE));
}
