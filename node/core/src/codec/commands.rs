//! Commands, queries and programs ↔ their messages. Reading checks every bound: what is in the log is valid.

use bytes::Bytes;
use quorate_proto::{
    ids::Epoch,
    internal,
    storage::{self as pb, command::Body},
};

use super::{
    DecodeError,
    fields::{self, required},
    records::{profile_from_proto, profile_to_proto, ring_range},
    stock,
};
use crate::{
    ledger::{
        AdoptRange, Batch, CheckQuery, Command, CommandBody, DeviceQuery, ListQuery, Program,
        PutDevice, Query, RecordSale, Rule, SaleSite, SuspendSite, VoidSale, WindowKind,
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
            site: Some(site_to_proto(&sale.site)),
            claims: Some(pb::Claims {
                birth_year: sale.birth_year.into(),
                id_digit: None,
            }),
            ..pb::RecordSale::default()
        }),
        CommandBody::VoidSale(void) => Body::Void(pb::VoidSale {
            request_id: fields::request_id_bytes(void.request_id),
            citizen: fields::citizen_bytes(void.citizen),
            program: void.program.to_string(),
            sale_request_id: fields::request_id_bytes(void.sale_request_id),
            site_code: void.site_code.to_string(),
            correction: None,
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
        Body::Record(sale) => CommandBody::RecordSale(RecordSale {
            request_id: fields::request_id(&sale.request_id)?,
            citizen: fields::citizen(&sale.citizen)?,
            program: fields::program_id(&sale.program)?,
            quantity: fields::quantity(sale.quantity)?,
            site: site_from_proto(sale.site)?,
            birth_year: fields::birth_year(sale.claims.unwrap_or_default().birth_year)?,
        }),
        Body::Void(void) => CommandBody::VoidSale(VoidSale {
            request_id: fields::request_id(&void.request_id)?,
            citizen: fields::citizen(&void.citizen)?,
            program: fields::program_id(&void.program)?,
            sale_request_id: fields::request_id(&void.sale_request_id)?,
            site_code: fields::site_code(&void.site_code)?,
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
        Body::RecordSlip(_) | Body::DeliverStock(_) | Body::AcknowledgeOutbox(_) => {
            return Err(DecodeError::missing("command"));
        }
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

fn site_to_proto(site: &SaleSite) -> pb::SaleSite {
    pb::SaleSite {
        code: site.code.to_string(),
        site_type: site.site_type.get().into(),
        region: site.region.to_string(),
        suspended: false,
    }
}

fn site_from_proto(message: Option<pb::SaleSite>) -> Result<SaleSite, DecodeError> {
    let message = required("site", message)?;
    Ok(SaleSite {
        code: fields::site_code(&message.code)?,
        site_type: fields::site_type(message.site_type)?,
        region: fields::region(&message.region)?,
    })
}

/// A program as it is stored and travels.
#[must_use]
pub fn program_to_proto(program: &Program) -> pb::ProgramDefinition {
    let rules = program.rules().iter().map(|rule| pb::Rule {
        id: rule.id.to_string(),
        effective_from_ms: rule.effective_from_ms,
        limit: rule.limit,
        sale_quantity_max: rule.sale_quantity_max,
        window: Some(match rule.window {
            WindowKind::CalendarWeek => pb::rule::Window::CalendarWeek(pb::CalendarWeek {}),
        }),
        ..pb::Rule::default()
    });
    pb::ProgramDefinition {
        id: program.id().to_string(),
        time_zone: program.time_zone().to_owned(),
        rules: rules.collect(),
        version: program.version(),
        ..pb::ProgramDefinition::default()
    }
}

/// Reads a program, checking its laws.
///
/// # Errors
/// Names the broken law.
pub fn program_from_proto(message: pb::ProgramDefinition) -> Result<Program, DecodeError> {
    let rules = message.rules.iter().map(|rule| {
        Ok(Rule {
            id: fields::rule_id(&rule.id)?,
            effective_from_ms: rule.effective_from_ms,
            limit: rule.limit,
            sale_quantity_max: rule.sale_quantity_max,
            window: match required("window of a rule", rule.window.as_ref())? {
                pb::rule::Window::CalendarWeek(_) => WindowKind::CalendarWeek,
                _ => return Err(DecodeError::missing("window of a rule")),
            },
        })
    });
    let rules = rules.collect::<Result<_, DecodeError>>()?;
    let id = fields::program_id(&message.id)?;
    Program::new(id, &message.time_zone, rules, message.version)
        .map_err(|why| DecodeError::invalid("program", why))
}

/// A query as it travels.
#[must_use]
pub fn query_to_proto(query: &Query) -> internal::Query {
    use internal::query::Body;
    let body = match query {
        Query::Check(check) => Body::Check(internal::CheckQuery {
            citizen: fields::citizen_bytes(check.citizen),
            program: check.program.to_string(),
            quantity: check.quantity.get(),
            site: Some(site_to_proto(&check.site)),
            claims: Some(pb::Claims {
                birth_year: check.birth_year.into(),
                id_digit: None,
            }),
            ..internal::CheckQuery::default()
        }),
        Query::List(list) => Body::List(internal::ListQuery {
            citizen: fields::citizen_bytes(list.citizen),
            program: list.program.to_string(),
        }),
        Query::Device(device) => Body::Device(internal::DeviceQuery {
            site_code: device.site_code.to_string(),
            device_id: device.device_id.to_string(),
        }),
    };
    internal::Query { body: Some(body) }
}

/// Reads a query, checking every bound.
///
/// # Errors
/// A part is missing or breaks its law.
pub fn query_from_proto(message: internal::Query) -> Result<Query, DecodeError> {
    use internal::query::Body;
    Ok(match required("query", message.body)? {
        Body::Check(check) => Query::Check(CheckQuery {
            citizen: fields::citizen(&check.citizen)?,
            program: fields::program_id(&check.program)?,
            quantity: fields::quantity(check.quantity)?,
            site: site_from_proto(check.site)?,
            birth_year: fields::birth_year(check.claims.unwrap_or_default().birth_year)?,
        }),
        Body::List(list) => Query::List(ListQuery {
            citizen: fields::citizen(&list.citizen)?,
            program: fields::program_id(&list.program)?,
        }),
        Body::Device(device) => Query::Device(DeviceQuery {
            site_code: fields::site_code(&device.site_code)?,
            device_id: fields::device_id(&device.device_id)?,
        }),
        _ => return Err(DecodeError::missing("query")),
    })
}
