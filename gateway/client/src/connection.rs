//! The way to the gateways: which one is called, how often a call is tried, how long it may take.
//!
//! State owned: one channel per gateway, the gateway in use, the retry budget. Invariants: an attempt is
//! repeated only if [`Attempt::retryable`] says so, only inside the deadline, and only if the budget pays
//! for it, unless it never left this machine or turns from a lost gateway to one not tried yet; whatever
//! doubt one attempt leaves, the call's failure carries. Deliberately absent: sessions, and what the messages mean.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use quorate_link::{ChannelOptions, Env, TlsClient, TlsError, certs::GATEWAY_SERVER_NAME};
use thiserror::Error;
use tonic::{Status, transport::Channel};

use crate::{
    deadline::Deadline,
    error::Failed,
    outcome::Attempt,
    retry::{Budget, RetryPolicy},
};

/// How a connection behaves.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionOptions {
    /// Pauses between attempts.
    pub retry: RetryPolicy,
    /// Timeouts and windows of the channels.
    pub channel: ChannelOptions,
}

impl Default for ConnectionOptions {
    /// For a terminal: a gateway that vanished during a call is noticed within 4 s; an idle terminal is
    /// silent, so that tens of thousands of them cost a gateway nothing.
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            channel: ChannelOptions {
                keepalive_while_idle: false,
                ..ChannelOptions::default()
            },
        }
    }
}

/// Why there is no connection. Nothing is dialled before the first call.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The list of gateways is empty.
    #[error("no gateway is configured")]
    NoGateway,
    /// The channel's TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Connections to the gateways of one cluster, one of which is in use. Cheap to clone; clones share
/// everything.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

struct Shared {
    gateways: Vec<Gateway>,
    /// Index into `gateways`.
    in_use: AtomicUsize,
    retry: RetryPolicy,
    budget: Budget,
    retries: AtomicU64,
    env: Env,
}

struct Gateway {
    address: String,
    channel: Channel,
}

impl Connection {
    /// Prepares connections to `addresses` (`host:port`), the first of which is used until it fails.
    /// Must run inside the runtime that will drive the calls.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        addresses: &[String],
        tls: &TlsClient,
        options: ConnectionOptions,
        env: Env,
    ) -> Result<Self, OpenError> {
        if addresses.is_empty() {
            return Err(OpenError::NoGateway);
        }
        let gateways = addresses
            .iter()
            .map(|address| {
                let channel = tls.connect_lazy(address, GATEWAY_SERVER_NAME, options.channel)?;
                Ok(Gateway {
                    address: address.clone(),
                    channel,
                })
            })
            .collect::<Result<_, TlsError>>()?;
        Ok(Self {
            shared: Arc::new(Shared {
                gateways,
                in_use: AtomicUsize::new(0),
                retry: options.retry,
                budget: Budget::new(),
                retries: AtomicU64::new(0),
                env,
            }),
        })
    }

    /// The gateway that the next call goes to.
    #[must_use]
    pub fn gateway(&self) -> &str {
        &self.current().1.address
    }

    /// Attempts beyond the first of their calls, since the connection was opened.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.shared.retries.load(Ordering::Relaxed)
    }

    pub(crate) fn env(&self) -> &Env {
        &self.shared.env
    }

    /// The gateway in use, for streams: they are not repeated as a whole.
    pub(crate) fn channel(&self) -> (usize, &str, Channel) {
        let (index, gateway) = self.current();
        (index, &gateway.address, gateway.channel.clone())
    }

    /// Makes one call: `attempt` sends the request over a channel, with the time it may take.
    pub(crate) async fn call<T, F, Answer>(
        &self,
        deadline: Deadline,
        mut attempt: F,
    ) -> Result<T, Failed>
    where
        F: FnMut(Channel, Duration) -> Answer + Send,
        Answer: Future<Output = Result<T, Status>> + Send,
    {
        let Shared { budget, env, .. } = &*self.shared;
        budget.deposit();
        let mut attempts = 0;
        let mut maybe_done = false;
        loop {
            let left = deadline.left(env);
            if left.is_zero() {
                return Err(Failed::late(attempts, maybe_done));
            }
            let (index, gateway) = self.current();
            attempts += 1;
            let answer = attempt(gateway.channel.clone(), left);
            let status = match env.timeout(left, answer).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(status)) => status,
                Err(_elapsed) => return Err(Failed::late(attempts, true)),
            };
            let judged = Attempt::judge(&status);
            maybe_done |= judged.maybe_done;
            if judged.unreachable {
                self.leave(index);
            }
            match self.pause_before_next(&judged, attempts) {
                Some(pause) if pause < deadline.left(env) => {
                    tracing::debug!(attempts, ?pause, message = status.message(), "trying again");
                    self.shared.retries.fetch_add(1, Ordering::Relaxed);
                    if !pause.is_zero() {
                        env.sleep(pause).await;
                    }
                }
                _ => {
                    let address = &gateway.address;
                    return Err(Failed::new(judged, &status, address, attempts, maybe_done));
                }
            }
        }
    }

    /// How long to wait before the next attempt; `None`: there shall be none.
    pub(crate) fn pause_before_next(&self, judged: &Attempt, attempts: u32) -> Option<Duration> {
        let shared = &*self.shared;
        if !judged.retryable {
            return None;
        }
        let untried = (attempts as usize) < shared.gateways.len();
        if judged.unreachable && untried {
            // Whatever a lost connection took with it goes to a gateway that has not had it, once each.
            return Some(Duration::ZERO);
        }
        let never_sent = judged.unreachable && !judged.maybe_done;
        // What never left this machine burdens nobody.
        if !never_sent && !shared.budget.withdraw() {
            return None;
        }
        let random = shared.env.random_u64();
        Some(shared.retry.pause(attempts, judged.retry_after, random))
    }

    fn current(&self) -> (usize, &Gateway) {
        let index = self.shared.in_use.load(Ordering::Relaxed);
        (index, &self.shared.gateways[index])
    }

    /// Turns to the gateway after `index`, unless another call has already turned away from it.
    pub(crate) fn leave(&self, index: usize) {
        let gateways = &self.shared.gateways;
        let next = (index + 1) % gateways.len();
        let turned =
            self.shared
                .in_use
                .compare_exchange(index, next, Ordering::Relaxed, Ordering::Relaxed);
        if turned.is_ok() && next != index {
            tracing::info!(
                from = gateways[index].address,
                to = gateways[next].address,
                "turning to another gateway"
            );
        }
    }
}
