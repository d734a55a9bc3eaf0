//! How a history writes what is not a plain number: request ids as UUIDs, purchases as short arrays.

use std::fmt;

use quorate_proto::ids::RequestId;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
    ser::SerializeTuple as _,
};

use super::Purchase;

pub(super) fn serialize<S: Serializer>(request: &RequestId, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(request)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<RequestId, D::Error> {
    Id::deserialize(from).map(|id| id.0)
}

/// A request id in a sequence.
struct Id(RequestId);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, to)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a UUID")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                RequestId::parse(text).map(Id).map_err(E::custom)
            }
        }
        from.deserialize_str(Text)
    }
}

/// `[request, quantity]`, with `true` behind it where it was undone.
impl Serialize for Purchase {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut parts = to.serialize_tuple(if self.voided { 3 } else { 2 })?;
        parts.serialize_element(&Id(self.request))?;
        parts.serialize_element(&self.quantity)?;
        if self.voided {
            parts.serialize_element(&true)?;
        }
        parts.end()
    }
}

impl<'de> Deserialize<'de> for Purchase {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Parts;
        impl<'de> Visitor<'de> for Parts {
            type Value = Purchase;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("[request, quantity] or [request, quantity, voided]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Purchase, A::Error> {
                let short = |length| de::Error::invalid_length(length, &self);
                let request = parts.next_element::<Id>()?.ok_or_else(|| short(0))?;
                let quantity = parts.next_element()?.ok_or_else(|| short(1))?;
                Ok(Purchase {
                    request: request.0,
                    quantity,
                    voided: parts.next_element()?.unwrap_or(false),
                })
            }
        }
        from.deserialize_seq(Parts)
    }
}
