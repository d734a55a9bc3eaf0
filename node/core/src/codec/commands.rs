//! Commands ↔ their messages. Reading checks every bound: what is in the log is valid.

use bytes::Bytes;
use quorate_proto::{
    ids::Epoch,
    storage::{self as pb, command::Body},
};

use super::{
    DecodeError, deliver,
    fields::{self, required},
    programs::{program_from_proto, program_to_proto},
    records::{profile_from_proto, profile_to_proto, ring_range},
    stock,
};
use crate::{
    ledger::{
        AdoptRange, Batch, Command, CommandBody, Correction, PutDevice, RecordSale, RecordSlip,
        SaleSite, SuspendSite, VoidBy, VoidSale,
    },
    limits,
};

pub(super) fn batch_to_proto(batch: &Batch) -> pb::Batch {
    pb::Batch {
        time_ms: batch.time_ms,
        commands: batch.commands.iter().map(command_to_proto).collect(),
    }
}

pub(super) fn batch_from_proto(message: pb::Batch) -> Result<Batch, DecodeError> {
    if message.commands.len() > limits::BATCH_COMMANDS_MAX {
        let why = format!("must not hold more than {}", limits::BATCH_COMMANDS_MAX);
        return Err(DecodeError::invalid("commands", why));
    }
    let commands = message.commands.into_iter().map(command_from_proto);
    Ok(Batch {
        time_ms: fields::time_ms(message.time_ms)?,
        commands: commands.collect::<Result<_, _>>()?,
    })
}

/// A command as it travels and is logged.
#[must_use]
pub fn command_to_proto(command: &Command) -> pb::Command {
    let body = match &command.body {
        CommandBody::RecordSale(sale) => Body::Record(pb::RecordSale {
            request_id: fields::request_id_bytes(sale.request_id),
            citizen: fields::citizen_bytes(sale.citizen),
            program: sale.program.to_string(),
            quantity: sale.quantity.get(),
            site: Some(site_to_proto(&sale.site, sale.site_suspended)),
            claims: Some(fields::claims_message(sale.claims)),
            product: fields::product_text(sale.product),
            proxy: sale.proxy.map(fields::proxy_message),
        }),
        CommandBody::RecordSlip(slip) => Body::RecordSlip(pb::RecordSlip {
            request_id: fields::request_id_bytes(slip.request_id),
            citizen: fields::citizen_bytes(slip.citizen),
            program: slip.program.to_string(),
            quantity: slip.quantity.get(),
            site: Some(site_to_proto(&slip.site, slip.site_suspended)),
            claims: Some(fields::claims_message(slip.claims)),
            product: fields::product_text(slip.product),
            proxy_ground: fields::ground_text(slip.proxy_ground),
            sold_at_ms: slip.sold_at_ms,
            device_id: slip.device_id.to_string(),
            sequence: slip.sequence,
        }),
        CommandBody::VoidSale(void) => Body::Void(pb::VoidSale {
            request_id: fields::request_id_bytes(void.request_id),
            citizen: fields::citizen_bytes(void.citizen),
            program: void.program.to_string(),
            sale_request_id: fields::request_id_bytes(void.sale_request_id),
            site_code: match &void.by {
                VoidBy::Site(code) => code.to_string(),
                VoidBy::Administrator(_) => String::new(),
            },
            correction: match &void.by {
                VoidBy::Site(_) => None,
                VoidBy::Administrator(correction) => Some(correction_to_proto(correction)),
            },
            claims: Some(fields::claims_message(void.claims)),
        }),
        CommandBody::PutSites(profiles) => Body::PutSites(pb::PutSites {
            sites: profiles.iter().cloned().map(profile_to_proto).collect(),
        }),
        CommandBody::PutDevice(device) => Body::PutDevice(pb::PutDevice {
            site_code: device.site_code.to_string(),
            device_id: device.device_id.to_string(),
            public_key: Bytes::copy_from_slice(&device.public_key),
        }),
        CommandBody::PutProgram(program) => Body::PutProgram(pb::PutProgram {
            program: Some(program_to_proto(program)),
        }),
        CommandBody::Checkpoint { id } => Body::Checkpoint(pb::Checkpoint { id: *id }),
        CommandBody::AdoptRange(adopt) => Body::AdoptRange(pb::AdoptRange {
            first: adopt.range.first().get(),
            last: adopt.range.last().get(),
            epoch: adopt.epoch.get(),
        }),
        CommandBody::ChangeStock(change) => Body::ChangeStock(stock::command_to_proto(change)),
        CommandBody::SuspendSite(suspend) => Body::SuspendSite(pb::SuspendSite {
            site_code: suspend.site_code.to_string(),
            suspended: suspend.suspended,
        }),
        CommandBody::DeliverStock(delivery) => {
            Body::DeliverStock(deliver::delivery_to_proto(delivery))
        }
        CommandBody::AcknowledgeOutbox { seq } => {
            Body::AcknowledgeOutbox(pb::AcknowledgeOutbox { seq: *seq })
        }
    };
    pb::Command {
        epoch: command.epoch.get(),
        body: Some(body),
    }
}

/// Reads a command, checking every bound.
///
/// # Errors
/// A part is missing or breaks its law.
pub fn command_from_proto(message: pb::Command) -> Result<Command, DecodeError> {
    let body = match required("command", message.body)? {
        Body::Record(sale) => CommandBody::RecordSale(sale_from_proto(sale)?),
        Body::RecordSlip(slip) => CommandBody::RecordSlip(slip_from_proto(slip)?),
        Body::Void(void) => CommandBody::VoidSale(VoidSale {
            request_id: fields::request_id(&void.request_id)?,
            citizen: fields::citizen(&void.citizen)?,
            program: fields::program_id(&void.program)?,
            sale_request_id: fields::request_id(&void.sale_request_id)?,
            by: match void.correction {
                None => VoidBy::Site(fields::site_code(&void.site_code)?),
                Some(correction) => VoidBy::Administrator(correction_from_proto(correction)?),
            },
            claims: fields::claims(void.claims)?,
        }),
        Body::PutSites(put) => {
            if put.sites.len() > limits::SITES_PER_COMMAND_MAX {
                let why = format!("must not be more than {}", limits::SITES_PER_COMMAND_MAX);
                return Err(DecodeError::invalid("sites", why));
            }
            let profiles = put.sites.into_iter().map(profile_from_proto);
            CommandBody::PutSites(profiles.collect::<Result<_, _>>()?)
        }
        Body::PutDevice(device) => CommandBody::PutDevice(PutDevice {
            site_code: fields::site_code(&device.site_code)?,
            device_id: fields::device_id(&device.device_id)?,
            public_key: fields::public_key(&device.public_key)?,
        }),
        Body::PutProgram(put) => {
            CommandBody::PutProgram(program_from_proto(required("program", put.program)?)?)
        }
        Body::Checkpoint(checkpoint) => CommandBody::Checkpoint { id: checkpoint.id },
        Body::AdoptRange(adopt) if adopt.epoch == 0 => {
            return Err(DecodeError::invalid(
                "epoch",
                "a range has an epoch of 1 or more",
            ));
        }
        Body::ChangeStock(change) => CommandBody::ChangeStock(stock::command_from_proto(change)?),
        Body::SuspendSite(suspend) => CommandBody::SuspendSite(SuspendSite {
            site_code: fields::site_code(&suspend.site_code)?,
            suspended: suspend.suspended,
        }),
        Body::DeliverStock(delivery) => {
            CommandBody::DeliverStock(deliver::delivery_from_proto(delivery)?)
        }
        Body::AcknowledgeOutbox(acknowledge) => CommandBody::AcknowledgeOutbox {
            seq: acknowledge.seq,
        },
        Body::AdoptRange(adopt) => CommandBody::AdoptRange(AdoptRange {
            range: ring_range(adopt.first, adopt.last)?,
            epoch: Epoch(adopt.epoch),
        }),
    };
    Ok(Command {
        epoch: Epoch(message.epoch),
        body,
    })
}

fn sale_from_proto(sale: pb::RecordSale) -> Result<RecordSale, DecodeError> {
    let (site, site_suspended) = site_from_proto(sale.site)?;
    Ok(RecordSale {
        request_id: fields::request_id(&sale.request_id)?,
        citizen: fields::citizen(&sale.citizen)?,
        program: fields::program_id(&sale.program)?,
        product: fields::optional_product(&sale.product)?,
        quantity: fields::quantity(sale.quantity)?,
        site,
        site_suspended,
        claims: fields::claims(sale.claims)?,
        proxy: fields::proxy(sale.proxy)?,
    })
}

fn slip_from_proto(slip: pb::RecordSlip) -> Result<RecordSlip, DecodeError> {
    let (site, site_suspended) = site_from_proto(slip.site)?;
    Ok(RecordSlip {
        request_id: fields::request_id(&slip.request_id)?,
        citizen: fields::citizen(&slip.citizen)?,
        program: fields::program_id(&slip.program)?,
        product: fields::optional_product(&slip.product)?,
        quantity: fields::quantity(slip.quantity)?,
        site,
        site_suspended,
        claims: fields::claims(slip.claims)?,
        proxy_ground: fields::optional_ground(&slip.proxy_ground)?,
        sold_at_ms: slip.sold_at_ms,
        device_id: fields::device_id(&slip.device_id)?,
        sequence: slip.sequence,
    })
}

pub(super) fn correction_to_proto(correction: &Correction) -> pb::Correction {
    pb::Correction {
        case_number: correction.case_number.clone(),
        reason: correction.reason.clone(),
        operator: correction.operator.clone(),
    }
}

fn correction_from_proto(message: pb::Correction) -> Result<Correction, DecodeError> {
    let text_max = limits::CORRECTION_TEXT_BYTES_MAX;
    Ok(Correction {
        case_number: fields::line(
            "case number",
            message.case_number,
            limits::CASE_NUMBER_BYTES_MAX,
        )?,
        reason: fields::line("reason", message.reason, text_max)?,
        operator: fields::line("operator", message.operator, text_max)?,
    })
}

pub(super) fn site_to_proto(site: &SaleSite, suspended: bool) -> pb::SaleSite {
    pb::SaleSite {
        code: site.code.to_string(),
        site_type: site.site_type.get().into(),
        region: site.region.to_string(),
        suspended,
    }
}

/// A site, and whether it is suspended.
pub(super) fn site_from_proto(
    message: Option<pb::SaleSite>,
) -> Result<(SaleSite, bool), DecodeError> {
    let message = required("site", message)?;
    let site = SaleSite {
        code: fields::site_code(&message.code)?,
        site_type: fields::site_type(message.site_type)?,
        region: fields::region(&message.region)?,
    };
    Ok((site, message.suspended))
}
