//! Puts the services on a listener and takes them off again.
//!
//! State owned: what the health service says. Laws: the gateway says `SERVING` from the moment it has seen
//! a view and a leader of every shard, and until it is told to stop; calls under way when it stops have
//! [`limits::DRAIN_TIMEOUT`] to end.

use std::{future::Future, sync::Arc};

use futures_util::future::{Either, select};
use quorate_link::TlsServer;
use quorate_proto::{
    FILE_DESCRIPTOR_SET,
    admin::admin_server::{AdminServer, SERVICE_NAME as ADMIN},
    v1::{
        ration_server::{RationServer, SERVICE_NAME as RATION},
        sessions_server::{SERVICE_NAME as SESSIONS, SessionsServer},
        slips_server::{SERVICE_NAME as SLIPS, SlipsServer},
        stock_server::{SERVICE_NAME as STOCK, StockServer},
    },
};
use tokio::{net::TcpListener, sync::oneshot};
use tonic::transport::Server;
use tonic_health::{ServingStatus, server::HealthReporter};

use super::{
    admin::AdminService, border::Border, guard::Guard, ration::RationService,
    sessions::SessionsService, slips::SlipsService, stock::StockService,
};
use crate::limits;

/// What health is asked about: the process as a whole, and each service.
const HEALTH_NAMES: [&str; 6] = ["", RATION, SESSIONS, STOCK, SLIPS, ADMIN];

/// Why the gateway cannot serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The contract's own description cannot be read.
    #[error("the contract cannot be described")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// The transport gave up.
    #[error("the server stopped")]
    Transport(#[source] tonic::transport::Error),
}

/// Serves until `shutdown`, then drains.
pub(crate) async fn serve(
    border: Arc<Border>,
    tls: TlsServer,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let env = border.env().clone();
    let (reporter, health) = tonic_health::server::health_reporter();
    set_health(&reporter, ServingStatus::NotServing).await;
    let mut healthy = env.spawn("health", report_health(border.clone(), reporter.clone()));

    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name(RATION)
        .with_service_name(SESSIONS)
        .with_service_name(STOCK)
        .with_service_name(SLIPS)
        .with_service_name(ADMIN)
        .with_service_name("grpc.health.v1.Health")
        .build_v1()
        .map_err(ServeError::Reflection)?;
    let ration = RationServer::new(RationService {
        border: border.clone(),
    });
    let sessions = SessionsServer::new(SessionsService {
        border: border.clone(),
    });
    let stock = StockServer::new(StockService {
        border: border.clone(),
    });
    let slips = SlipsServer::new(SlipsService {
        border: border.clone(),
    });
    let admin = AdminServer::new(AdminService { border });

    let (stop, stopped) = oneshot::channel::<()>();
    let server = Server::builder()
        .http2_keepalive_interval(Some(limits::KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(limits::KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(limits::STREAMS_PER_CONNECTION_MAX)
        .initial_connection_window_size(limits::PUBLIC_CONNECTION_WINDOW_BYTES)
        .initial_stream_window_size(limits::PUBLIC_STREAM_WINDOW_BYTES)
        .add_service(Guard(
            ration.max_decoding_message_size(limits::TERMINAL_MESSAGE_BYTES_MAX),
        ))
        .add_service(Guard(
            sessions.max_decoding_message_size(limits::TERMINAL_MESSAGE_BYTES_MAX),
        ))
        .add_service(Guard(
            stock.max_decoding_message_size(limits::TERMINAL_MESSAGE_BYTES_MAX),
        ))
        .add_service(Guard(
            slips.max_decoding_message_size(limits::TERMINAL_MESSAGE_BYTES_MAX),
        ))
        .add_service(Guard(
            admin.max_decoding_message_size(limits::OPERATOR_MESSAGE_BYTES_MAX),
        ))
        .add_service(health.max_decoding_message_size(limits::TERMINAL_MESSAGE_BYTES_MAX))
        .add_service(reflection.max_decoding_message_size(limits::TERMINAL_MESSAGE_BYTES_MAX))
        .serve_with_incoming_shutdown(tls.incoming(listener), async {
            // Whether told to stop or forgotten: stop.
            let _ = stopped.await;
        });

    let served = match select(Box::pin(shutdown), Box::pin(server)).await {
        Either::Left(((), server)) => {
            healthy.abort();
            healthy.finished().await;
            set_health(&reporter, ServingStatus::NotServing).await;
            drop(stop);
            env.timeout(limits::DRAIN_TIMEOUT, server)
                .await
                .unwrap_or_else(|_| {
                    tracing::warn!("calls were still under way when the gateway stopped");
                    Ok(())
                })
        }
        Either::Right((served, _)) => served,
    };
    healthy.abort();
    served.map_err(ServeError::Transport)
}

async fn set_health(reporter: &HealthReporter, status: ServingStatus) {
    for name in HEALTH_NAMES {
        reporter.set_service_status(name, status).await;
    }
}

/// Says `SERVING` once every shard has been seen with a leader. A leader lost later is no reason to send
/// terminals to another gateway: it would know no better.
async fn report_health(border: Arc<Border>, reporter: HealthReporter) {
    let directory = &border.dispatcher.directory;
    loop {
        let seen = directory.revision();
        if directory.is_complete() {
            break;
        }
        directory.changed_since(seen).await;
    }
    set_health(&reporter, ServingStatus::Serving).await;
    tracing::info!("every shard has a leader; serving");
}
