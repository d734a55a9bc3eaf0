//! The public contract is frozen: a field, its number and its type stay for ever.
//!
//! `tests/golden/public_api.txt` lists every field, enum value and method of the public packages.
//! Adding is free once the list has the new line; a line that vanishes breaks somebody's terminal.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};

/// Packages that people outside this repository compile against.
const PUBLIC: [&str; 2] = ["quorate.v1", "quorate.admin.v1"];

/// One line for each field, enum value and method of the public packages.
pub(crate) fn lines() -> BTreeSet<String> {
    let set = FileDescriptorSet::decode(quorate_proto::FILE_DESCRIPTOR_SET)
        .expect("the descriptor set that was just compiled");
    let mut lines = BTreeSet::new();
    for file in set
        .file
        .iter()
        .filter(|file| PUBLIC.contains(&file.package()))
    {
        for message in &file.message_type {
            add_message(file.package(), message, &mut lines);
        }
        for enumeration in &file.enum_type {
            add_enum(file.package(), enumeration, &mut lines);
        }
        for service in &file.service {
            for method in &service.method {
                let stream = |is_stream: bool| if is_stream { "stream " } else { "" };
                lines.insert(format!(
                    "rpc {}.{}.{} {}{} -> {}{}",
                    file.package(),
                    service.name(),
                    method.name(),
                    stream(method.client_streaming()),
                    method.input_type(),
                    stream(method.server_streaming()),
                    method.output_type(),
                ));
            }
        }
    }
    lines
}

fn add_message(scope: &str, message: &DescriptorProto, lines: &mut BTreeSet<String>) {
    let scope = format!("{scope}.{}", message.name());
    for field in &message.field {
        let kind = match field.r#type() {
            Type::Message | Type::Enum => field.type_name().to_owned(),
            scalar => format!("{scalar:?}").to_lowercase(),
        };
        let label = match field.label() {
            Label::Repeated => "repeated ",
            _ if field.proto3_optional() => "optional ",
            _ => "",
        };
        lines.insert(format!(
            "field {scope}.{} = {} {label}{kind}",
            field.name(),
            field.number()
        ));
    }
    for nested in &message.nested_type {
        add_message(&scope, nested, lines);
    }
    for enumeration in &message.enum_type {
        add_enum(&scope, enumeration, lines);
    }
}

fn add_enum(scope: &str, enumeration: &EnumDescriptorProto, lines: &mut BTreeSet<String>) {
    for value in &enumeration.value {
        let name = enumeration.name();
        lines.insert(format!(
            "value {scope}.{name}.{} = {}",
            value.name(),
            value.number()
        ));
    }
}
