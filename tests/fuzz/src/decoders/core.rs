//! What the core reads: durable values and keys, and the messages of gateways and other shards.

use bytes::Bytes;
use prost::Message;
use quorate_core::{codec, keys};
use quorate_proto::{ids::ProgramId, internal, shard_map::ShardMap, storage};

use crate::{Decoder, golden};

/// A name, what the golden file calls its values, and what reads them.
type Value = (&'static str, &'static [&'static str], fn(&[u8]));

const VALUES: [Value; 15] = [
    ("core-batch", &["batch"], |bytes| {
        drop(codec::decode_batch(&sealed(bytes)));
    }),
    (
        "core-system-command",
        &[
            "system-bootstrap",
            "system-register-node",
            "system-shard-formed",
            "system-put-program",
        ],
        |bytes| drop(codec::decode_system_command(&sealed(bytes))),
    ),
    ("core-view", &["view"], |bytes| {
        if let Ok(view) = codec::decode_view(&sealed(bytes)) {
            drop(ShardMap::new(&view));
        }
    }),
    ("core-citizen", &["citizen-empty", "citizen"], |bytes| {
        drop(codec::decode_citizen(&sealed(bytes)));
    }),
    ("core-site", &["site"], |bytes| {
        drop(codec::decode_site(sealed(bytes).into()))
    }),
    (
        "core-outbox-row",
        &["outbox-sold", "outbox-voided"],
        |bytes| {
            drop(codec::decode_outbox_row(&sealed(bytes)));
        },
    ),
    ("core-facts", &["facts"], |bytes| {
        drop(codec::decode_facts(sealed(bytes).into()))
    }),
    (
        "core-program",
        &["program", "program-with-everything"],
        |bytes| {
            drop(codec::decode_program(sealed(bytes).into()));
        },
    ),
    ("core-day-counts", &["day-counts"], |bytes| {
        drop(codec::decode_day_counts(&sealed(bytes)));
    }),
    ("core-shadow-counts", &["shadow-counts"], |bytes| {
        drop(codec::decode_shadow_counts(&sealed(bytes)));
    }),
    ("core-retired-units", &["retired-units"], |bytes| {
        drop(codec::decode_retired_units(&sealed(bytes)));
    }),
    ("core-stock", &["stock"], |bytes| {
        drop(codec::decode_stock(sealed(bytes).into()))
    }),
    ("core-stock-journal", &["stock-journal"], |bytes| {
        drop(codec::decode_journal(sealed(bytes).into()));
    }),
    ("core-site-sale", &["site-sale"], |bytes| {
        drop(codec::decode_site_sale(&sealed(bytes)));
    }),
    ("core-watermark", &["watermark"], |bytes| {
        drop(codec::decode_watermark(&sealed(bytes)));
    }),
];

pub(super) fn all() -> Vec<Decoder> {
    let values = golden::values();
    let mut all: Vec<Decoder> = VALUES
        .into_iter()
        .map(|(name, of, read)| {
            let seeds = values.iter().filter(|(name, _)| of.contains(name));
            let seeds: Vec<Vec<u8>> = seeds
                .map(|(_, bytes)| golden::body(bytes).to_vec())
                .collect();
            assert_eq!(seeds.len(), of.len(), "the golden values of {name}");
            Decoder { name, read, seeds }
        })
        .collect();
    // As it is on the disk: version, checksum and all.
    all.push(Decoder {
        name: "core-envelope",
        read: |bytes| drop(codec::decode_citizen(bytes)),
        seeds: values.iter().map(|(_, bytes)| bytes.clone()).collect(),
    });
    let keys = golden::keys();
    all.push(Decoder {
        name: "core-key",
        read: key,
        seeds: keys.into_iter().map(|(_, bytes)| bytes).collect(),
    });
    all.extend(messages());
    all
}

/// What comes over the wire without an envelope.
fn messages() -> [Decoder; 3] {
    [
        Decoder {
            name: "core-command-frame",
            read: |bytes| {
                let Ok(frame) = internal::CommandFrame::decode(bytes) else {
                    return;
                };
                for command in frame.commands {
                    use internal::shard_command::Body;
                    match command.body {
                        Some(Body::Write(write)) => drop(codec::command_from_proto(write)),
                        Some(Body::Query(query)) => drop(codec::query_from_proto(query)),
                        None => {}
                    }
                }
            },
            seeds: super::samples::command_frames(),
        },
        Decoder {
            name: "core-delivery",
            read: |bytes| {
                if let Ok(message) = storage::DeliverStock::decode(bytes) {
                    drop(codec::delivery_from_proto(message));
                }
            },
            seeds: super::samples::deliveries(),
        },
        Decoder {
            name: "core-program-message",
            read: |bytes| {
                if let Ok(message) = storage::ProgramDefinition::decode(bytes) {
                    drop(codec::program_from_proto(message));
                }
            },
            seeds: golden::values()
                .into_iter()
                .filter(|(name, _)| name.starts_with("program"))
                .map(|(_, bytes)| golden::body(&bytes).to_vec())
                .collect(),
        },
    ]
}

fn key(bytes: &[u8]) {
    drop(keys::describe(bytes));
    let _ = keys::raft::parse(bytes);
    let _ = keys::outbox_sequence(bytes);
    let _ = keys::source_of_watermark(bytes);
    let _ = keys::site_of_retired(bytes);
    let _ = (
        keys::site_of(bytes),
        keys::product_of(bytes),
        keys::sale_of(bytes),
    );
    if let Ok(program) = ProgramId::parse("mask") {
        let _ = keys::day_of(bytes, &program);
        let _ = keys::rule_of_shadow(bytes, &program);
    }
}

/// Version 1, the body, and a checksum that fits.
fn sealed(body: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(body.len() + 5);
    bytes.push(1);
    bytes.extend_from_slice(body);
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.into()
}
