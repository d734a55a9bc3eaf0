//! A bug to prove the tests by, where a line is not enough. Only with the feature `planted-bugs`.

use quorate_core::codec;
use quorate_core::keys::StateKind;
use quorate_core::planted::{Bug, is};
use quorate_proto::ids::RequestId;

use crate::storage::Row;

/// Rows of a snapshot, in which sales are no longer known by their request ids if that bug is planted.
pub(super) fn without_requests(mut rows: Vec<Row>) -> Vec<Row> {
    if !is(Bug::SnapshotWithoutDedup) {
        return rows;
    }
    for (key, value) in &mut rows {
        if StateKind::of(key) != Some(StateKind::Citizen) {
            continue;
        }
        let Ok(mut record) = codec::decode_citizen(value) else {
            continue;
        };
        for sale in &mut record.sales {
            sale.request_id = another(sale.request_id);
        }
        for denial in &mut record.denials {
            denial.request_id = another(denial.request_id);
        }
        *value = codec::encode_citizen(&record);
    }
    rows
}

/// An id that nobody uses; different ids stay different.
fn another(id: RequestId) -> RequestId {
    let bytes = id.get().map(|byte| !byte);
    RequestId::from_bytes(bytes).unwrap_or(id)
}
