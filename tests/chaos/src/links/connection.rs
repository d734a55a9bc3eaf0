//! One connection through a link: two flows, each with a reader that stamps what comes and a writer that
//! sends it when it is due, so that a delay costs no throughput.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rand::RngExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
};

use super::{Party, Shared};

/// Bytes read at once.
const PIECE_BYTES: usize = 16 << 10;
/// Pieces under way in one direction: four megabytes, more than a window.
const PIECES_MAX: usize = 256;

/// Who connected to whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) from: Party,
    pub(crate) to: Party,
}

/// Why a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Its sender closed it, and the other side was told.
    Closed,
    /// It is to be closed in this direction alone, while the other goes on.
    HalfClosed,
    /// Something broke: so does the connection.
    Broken,
}

/// Tells the peer that the connection is gone, without what was still under way.
pub(crate) fn reset(stream: &TcpStream) {
    // A socket that is closed already needs no reset.
    let _closed_before = stream.set_zero_linger();
}

/// Carries both directions to their end.
pub(crate) async fn carry(shared: Arc<Shared>, ends: Ends, from: TcpStream, to: TcpStream) {
    for stream in [&from, &to] {
        // Small pieces are not to wait for each other: delays are ours to make.
        let _refused = stream.set_nodelay(true);
    }
    let (from_read, from_write) = from.into_split();
    let (to_read, to_write) = to.into_split();
    let back = Ends {
        from: ends.to,
        to: ends.from,
    };
    let (give_up, given_up) = watch::channel(false);
    let there = flow(&shared, ends, from_read, to_write, given_up.clone());
    let and_back = flow(&shared, back, to_read, from_write, given_up);
    let (mut there, mut and_back) = (Box::pin(there), Box::pin(and_back));
    let mut broken = shared.breaks();
    let first = tokio::select! {
        (end, write) = &mut there => (end, write, false),
        (end, write) = &mut and_back => (end, write, true),
        _ = broken.changed() => {
            shared.tally.broken.fetch_add(1, Ordering::Relaxed);
            // Nobody listens if both flows have ended by now.
            let _ended = give_up.send(true);
            let ((_, one), (_, other)) = tokio::join!(there, and_back);
            return reset_halves(&one, &other);
        }
    };
    let (end, write, was_back) = first;
    let rest = async {
        if was_back {
            there.await
        } else {
            and_back.await
        }
    };
    if end == End::Broken {
        let _ended = give_up.send(true);
        let (_, other) = rest.await;
        return reset_halves(&write, &other);
    }
    let rest = tokio::select! {
        (end, other) = rest => Some((end, other)),
        _ = broken.changed() => None,
    };
    match rest {
        Some((End::Broken, other)) => reset_halves(&write, &other),
        Some(_) => {}
        None => {
            shared.tally.broken.fetch_add(1, Ordering::Relaxed);
            reset(write.as_ref());
        }
    }
}

fn reset_halves(one: &OwnedWriteHalf, other: &OwnedWriteHalf) {
    reset(one.as_ref());
    reset(other.as_ref());
}

/// One direction. The write half comes back, so that the connection can be reset.
async fn flow(
    shared: &Arc<Shared>,
    ends: Ends,
    mut read: OwnedReadHalf,
    mut write: OwnedWriteHalf,
    mut given_up: watch::Receiver<bool>,
) -> (End, OwnedWriteHalf) {
    let (queue, mut due) = mpsc::channel::<(Duration, Vec<u8>)>(PIECES_MAX);
    // Owns the queue: the writer learns of the end when the reader does.
    let reader = async move {
        let mut piece = vec![0; PIECE_BYTES];
        let mut last_due = Duration::ZERO;
        loop {
            let count = match read.read(&mut piece).await {
                Ok(0) => return End::Closed,
                Ok(count) => count,
                Err(_) => return End::Broken,
            };
            let quality = shared.quality(ends.from, ends.to);
            let jitter = shared.random(|dice| quality.jitter.mul_f64(dice.random::<f64>()));
            let wait = quality.delay + jitter;
            if !wait.is_zero() {
                shared.tally.pieces_delayed.fetch_add(1, Ordering::Relaxed);
            }
            last_due = last_due.max(shared.env.monotonic() + wait);
            let piece = piece[..count].to_vec();
            if queue.send((last_due, piece)).await.is_err() {
                return End::Broken;
            }
        }
    };
    let writer = async {
        while let Some((at, piece)) = due.recv().await {
            let early = at.saturating_sub(shared.env.monotonic());
            if !early.is_zero() {
                shared.env.sleep(early).await;
            }
            shared.until_open(ends.from, ends.to).await;
            match fate(shared, ends) {
                Fate::Arrives => {}
                Fate::HalfCloses => {
                    shared.tally.half_closes.fetch_add(1, Ordering::Relaxed);
                    let _closed_before = write.shutdown().await;
                    return End::HalfClosed;
                }
                Fate::Resets => {
                    shared.tally.resets.fetch_add(1, Ordering::Relaxed);
                    return End::Broken;
                }
            }
            let quality = shared.quality(ends.from, ends.to);
            if let Some(rate) = quality.bytes_per_second {
                let takes = Duration::from_secs_f64(piece.len() as f64 / rate as f64);
                shared.env.sleep(takes).await;
            }
            if write.write_all(&piece).await.is_err() {
                return End::Broken;
            }
        }
        // The sender has closed its side: so do we.
        match write.shutdown().await {
            Ok(()) => End::Closed,
            Err(_) => End::Broken,
        }
    };
    let both = async {
        let (mut reader, mut writer) = (Box::pin(reader), Box::pin(writer));
        tokio::select! {
            end = &mut writer => end,
            end = &mut reader => if end == End::Broken { end } else { writer.await },
        }
    };
    let end = tokio::select! {
        end = both => end,
        _ = given_up.wait_for(|given_up| *given_up) => End::Broken,
    };
    (end, write)
}

enum Fate {
    Arrives,
    Resets,
    HalfCloses,
}

/// One break in four closes one direction only.
fn fate(shared: &Shared, ends: Ends) -> Fate {
    let breaks = shared.quality(ends.from, ends.to).breaks;
    if breaks == 0 {
        return Fate::Arrives;
    }
    let (drawn, how) = shared.random(|dice| (dice.random_range(0..1000), dice.random_range(0..4)));
    match (drawn < breaks, how) {
        (false, _) => Fate::Arrives,
        (true, 0) => Fate::HalfCloses,
        (true, _) => Fate::Resets,
    }
}
