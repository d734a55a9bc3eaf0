//! What the core hears from gateways and from other shards.

use prost::Message;
use quorate_proto::{
    internal::{self, query, shard_command},
    storage::{self, command},
};

use super::REQUEST;

/// Of gateways.
pub(crate) fn command_frames() -> Vec<Vec<u8>> {
    let site = Some(storage::SaleSite {
        code: "P-1".to_owned(),
        site_type: 1,
        region: "Seoul".to_owned(),
        ..storage::SaleSite::default()
    });
    let record = storage::RecordSale {
        request_id: REQUEST.to_vec().into(),
        citizen: vec![3; 16].into(),
        program: "mask".to_owned(),
        quantity: 2,
        site: site.clone(),
        ..storage::RecordSale::default()
    };
    let void = storage::VoidSale {
        request_id: REQUEST.to_vec().into(),
        citizen: vec![3; 16].into(),
        program: "mask".to_owned(),
        ..storage::VoidSale::default()
    };
    let slip = storage::RecordSlip {
        request_id: REQUEST.to_vec().into(),
        citizen: vec![3; 16].into(),
        program: "mask".to_owned(),
        quantity: 2,
        site: site.clone(),
        ..storage::RecordSlip::default()
    };
    let check = internal::CheckQuery {
        citizen: vec![3; 16].into(),
        program: "mask".to_owned(),
        quantity: 1,
        site,
        ..internal::CheckQuery::default()
    };
    let write = |body| {
        shard_command::Body::Write(storage::Command {
            body: Some(body),
            ..storage::Command::default()
        })
    };
    let read = |body| shard_command::Body::Query(internal::Query { body: Some(body) });
    let bodies = [
        write(command::Body::Record(record)),
        write(command::Body::Void(void)),
        write(command::Body::RecordSlip(slip)),
        read(query::Body::Check(check)),
        read(query::Body::Stock(internal::StockQuery {
            site_code: "P-1".to_owned(),
        })),
    ];
    let frame = internal::CommandFrame {
        cluster_id: "demo".to_owned(),
        commands: bodies
            .into_iter()
            .zip(1..)
            .map(|(body, correlation)| internal::ShardCommand {
                correlation,
                shard: 1,
                epoch: 1,
                time_left_ms: 1_000,
                body: Some(body),
            })
            .collect(),
    };
    vec![frame.encode_to_vec()]
}

/// Of another shard.
pub(crate) fn deliveries() -> Vec<Vec<u8>> {
    let row = storage::OutboxRow {
        site_code: "P-1".to_owned(),
        program: "mask".to_owned(),
        request_id: REQUEST.to_vec().into(),
        quantity: 2,
        ..storage::OutboxRow::default()
    };
    let message = storage::DeliverStock {
        rows: vec![storage::DeliveredRow {
            seq: 7,
            row: Some(row),
        }],
        ..storage::DeliverStock::default()
    };
    vec![message.encode_to_vec()]
}
