//! Streams of messages over a connection, each with a stream of answers.
//!
//! Laws: a stream opens when the other side has accepted it, one round trip later; dropping the answers ends
//! the stream on both sides; bytes cross, not messages.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream::{BoxStream, unfold};
use futures_util::{StreamExt as _, pin_mut};
use prost::Message;
use quorate_node::seams::RunningNode;

use super::pipe::Pipe;
use super::{Broken, Connection, Network, Place};

/// What serves a stream: requests in, answers out.
pub(super) type Handler<Q, A> =
    Box<dyn FnOnce(&Arc<RunningNode>, BoxStream<'static, Q>) -> BoxStream<'static, A> + Send>;

impl Network {
    /// Opens a stream; its requests are taken by a task of the place that opens it.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) async fn open<Q, A>(
        &self,
        connection: Connection,
        requests: BoxStream<'static, Q>,
        handler: Handler<Q, A>,
    ) -> Result<BoxStream<'static, A>, Broken>
    where
        Q: Message + Default + Send + 'static,
        A: Message + Default + Send + 'static,
    {
        const LOST: Broken = Broken("the connection was lost");
        let Connection { from, to, .. } = connection;
        if !self.is_alive(connection) {
            return Err(LOST);
        }
        let (forth, back) = (
            Pipe::new(self.shared.env.clone()),
            Pipe::new(self.shared.env.clone()),
        );
        self.register(connection, &forth, &back);
        let (here, (there, serve)) = (
            self.env_of(from).ok_or(LOST)?,
            self.served(connection).map_err(|_| LOST)?,
        );
        let reading = Reading(back.clone());
        // What opens the stream, and what accepts it, are messages like any other.
        forth.send(Bytes::new(), self.delay(from, to)).await;
        let server = self.clone();
        let (incoming, outgoing) = (forth.clone(), back);
        there.spawn("stream", async move {
            if incoming.receive().await.is_none() {
                return outgoing.end();
            }
            let answers = handler(&serve, messages(Reading(incoming)));
            drop(serve);
            let opened = server.delay(to, from);
            if outgoing.send(Bytes::new(), opened).await {
                server.pump(&outgoing, answers, (to, from)).await;
            }
            outgoing.end();
        });
        let client = self.clone();
        let outgoing = forth;
        here.spawn("stream", async move {
            client.pump(&outgoing, requests, (from, to)).await;
            outgoing.end();
        });
        match reading.0.receive().await {
            Some(_) => Ok(messages(reading)),
            None => Err(LOST),
        }
    }

    /// Sends all messages, until there are no more or nobody listens.
    async fn pump<M: Message>(
        &self,
        pipe: &Pipe,
        mut messages: BoxStream<'static, M>,
        (from, to): (Place, Place),
    ) {
        loop {
            let next = {
                let closed = pipe.closed();
                pin_mut!(closed);
                match select(messages.next(), closed).await {
                    Either::Left((next, _)) => next,
                    Either::Right(((), _)) => return,
                }
            };
            let Some(message) = next else {
                return;
            };
            let bytes = Bytes::from(message.encode_to_vec());
            self.lock().said.add(&bytes);
            if !pipe.send(bytes, self.delay(from, to)).await {
                return;
            }
        }
    }
}

/// The reading end; dropping it tells the other side.
struct Reading(Arc<Pipe>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

fn messages<M: Message + Default + Send + 'static>(reading: Reading) -> BoxStream<'static, M> {
    unfold(reading, |reading| async move {
        let bytes = reading.0.receive().await?;
        let message = M::decode(bytes).expect("what was encoded here can be decoded");
        Some((message, reading))
    })
    .boxed()
}
