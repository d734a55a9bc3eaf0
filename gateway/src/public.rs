//! The public's view of stock: the frozen API of 2020, one of our own, a page to look at.
//!
//! Questions are answered from a [`Snapshot`] in memory that the site feeds of the nodes fill. Invariants:
//! no request reaches a shard (this module is handed neither a dispatcher nor the nodes); what is served
//! carries no secret and no person; whatever a crowd asks, connections, the size of a request and the
//! bytes of answers under way are bounded. Deliberately absent: TLS on this listener (a proxy may stand in
//! front), keys for callers, and any call that changes something.

mod answer;
mod app;
mod deltas;
mod etag;
mod freshness;
mod keeper;
pub(crate) mod legacy;
mod openapi;
mod page;
mod patience;
pub(crate) mod region;
mod server;
mod snapshot;
pub(crate) mod v1;

#[cfg(test)]
mod tests;

use std::{future::Future, net::SocketAddr, sync::Arc};

use quorate_link::Env;
use quorate_proto::ids::ProductId;
use tokio::net::TcpListener;

pub(crate) use snapshot::{Location, Profile, SiteFrame, SiteNews, Snapshot, Stock};

use crate::{directory::Directory, limits};
use app::App;

/// The public API of a gateway.
#[derive(Clone, Debug)]
pub struct PublicConfig {
    /// Where it listens, with plain HTTP.
    pub listen: SocketAddr,
    /// Whose stock is shown where a request names none; `None`: the first program's first product.
    pub product: Option<ProductId>,
    /// Open connections, 1 to 65,536.
    pub connections_max: usize,
}

impl PublicConfig {
    /// The usual API at this address.
    #[must_use]
    pub fn new(listen: SocketAddr) -> PublicConfig {
        PublicConfig {
            listen,
            product: None,
            connections_max: limits::PUBLIC_CONNECTIONS_DEFAULT,
        }
    }
}

/// See the module's documentation.
pub(crate) struct PublicApi {
    app: Arc<App>,
    connections_max: usize,
    env: Env,
}

impl PublicApi {
    pub(crate) fn new(
        config: PublicConfig,
        directory: Arc<Directory>,
        snapshot: Arc<Snapshot>,
        env: Env,
    ) -> PublicApi {
        let app = App::new(config.product, directory, snapshot, env.clone());
        PublicApi {
            app: Arc::new(app),
            connections_max: config.connections_max,
            env,
        }
    }

    /// Serves until `shutdown`, then lets requests under way end.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) {
        let keeper = self
            .env
            .spawn("public-keeper", keeper::keep(self.app.clone()));
        let app = self.app.clone();
        let shutdown = async {
            shutdown.await;
            // Listeners never leave by themselves.
            app.deltas.close();
        };
        server::serve(self.app, listener, self.connections_max, self.env, shutdown).await;
        keeper.abort();
    }
}
