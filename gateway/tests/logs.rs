//! A national ID is in no log, at no level. One test in a program of its own: it captures what the whole
//! process logs.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use quorate_proto::v1::RecordRequest;
use support::{CITIZEN, World, check, citizen, record};
use tonic::Status;

const ID: &str = "0190f3a2-7c1b-7d4e-8f00-1234567890ab";

/// Everything that anybody logs.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_holds_a_national_id() {
    let captured = Captured::default();
    let writer = captured.clone();
    // Without times, whose digits would look like an ID once in a while.
    tracing_subscriber::fmt()
        .without_time()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .init();

    let world = World::start().await;
    let mut terminal = world.ration().await;
    for number in [CITIZEN, "900230-1234568", "900101-12345"] {
        let message = RecordRequest {
            citizen: citizen(number),
            ..record(ID)
        };
        let request = terminal.request(message, Duration::from_secs(4));
        let _: Result<_, Status> = terminal.client.record(request).await;
    }

    let text = String::from_utf8_lossy(&captured.0.lock().unwrap()).into_owned();
    assert!(text.contains("gateway listening") && text.contains("TRACE"));
    for part in ["1234568", "9001011", "900101-", "9002301", "900230-"] {
        assert!(!text.contains(part), "{part} was logged");
    }
    // The message itself would not print it either.
    let printed = format!("{:?}", check());
    assert!(!printed.contains("1234568"), "{printed}");
}
