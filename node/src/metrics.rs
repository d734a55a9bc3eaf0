//! What a node measures of itself, and its text for whoever collects it.
//!
//! State owned: the registry. Invariant: no name, label or value comes from a citizen, a site or a device.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::limits;

/// The measurements of one node.
pub(crate) struct Metrics {
    registry: Registry,
    outbox_lag: Histogram,
    outbox_pending: Gauge,
    outbox_oldest: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let outbox_lag = Histogram::new(limits::OUTBOX_LAG_BUCKETS);
        let (outbox_pending, outbox_oldest) = (Gauge::default(), Gauge::default());
        let mut registry = Registry::with_prefix("quorate_node");
        registry.register_with_unit(
            "outbox_lag",
            "From a sale to the acknowledgement that its site's stock has it: the oldest row of each",
            Unit::Seconds,
            outbox_lag.clone(),
        );
        registry.register(
            "outbox_pending_rows",
            "Sales and voids of the shards led here that are not acknowledged",
            outbox_pending.clone(),
        );
        registry.register(
            "outbox_oldest_milliseconds",
            "Age of the oldest of them",
            outbox_oldest.clone(),
        );
        Self {
            registry,
            outbox_lag,
            outbox_pending,
            outbox_oldest,
        }
    }

    /// Rows were acknowledged; the oldest of them is this old.
    pub(crate) fn outbox_acknowledged(&self, age: Duration) {
        self.outbox_lag.observe(age.as_secs_f64());
    }

    /// The text that collectors read, with these counts of the outboxes led here.
    pub(crate) fn text(&self, pending: u64, oldest: Duration) -> Result<String, fmt::Error> {
        let gauge = |value: u128| i64::try_from(value).unwrap_or(i64::MAX);
        self.outbox_pending.set(gauge(pending.into()));
        self.outbox_oldest.set(gauge(oldest.as_millis()));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_what_was_measured() {
        let metrics = Metrics::new();
        metrics.outbox_acknowledged(Duration::from_millis(300));
        let text = metrics
            .text(12, Duration::from_millis(250))
            .expect("a text");
        for line in [
            "quorate_node_outbox_lag_seconds_count 1",
            "quorate_node_outbox_lag_seconds_bucket{le=\"0.5\"} 1",
            "quorate_node_outbox_lag_seconds_bucket{le=\"0.25\"} 0",
            "quorate_node_outbox_pending_rows 12",
            "quorate_node_outbox_oldest_milliseconds 250",
        ] {
            assert!(text.contains(line), "{line} is missing:\n{text}");
        }
    }
}
