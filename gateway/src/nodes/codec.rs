//! Questions as they go to shards, and which answer belongs to which: typed on our side, protobuf on the
//! wire. Deliberately absent: reading what an answer holds, which is in `decode`.

mod report;
mod stock;

use bytes::Bytes;
use quorate_proto::{
    ids::{CitizenKey, Epoch, ProductId, RequestId},
    internal::{self, query, query_reply, shard_command},
    storage::{self, command, outcome},
};

use super::decode::{self, BadAnswer, Wire};
use crate::{
    model::{
        Check, Checkpoint, Claims, DevicePut, FindDevice, FoundDevice, List, Proxy, Purchase,
        PutDevice, PutSites, Record, Recorded, Sale, Site, SitesPut, Verdict, Void, Voided,
    },
    session::Session,
};

/// A question to a shard.
pub(crate) trait Operation: Sync {
    type Answer: Send;

    /// Whether it goes through the log: then an unheard answer may hide a change.
    const WRITES: bool;

    /// About how long it is when encoded, bytes.
    fn bytes(&self) -> usize {
        SMALL_BYTES
    }

    fn encode(&self, epoch: Epoch) -> shard_command::Body;

    fn decode(wire: Wire) -> Result<Self::Answer, BadAnswer>;
}

/// A question with its ids and codes, texts of any length not counted.
pub(super) const SMALL_BYTES: usize = 160;

pub(super) fn write(epoch: Epoch, body: command::Body) -> shard_command::Body {
    shard_command::Body::Write(storage::Command {
        epoch: epoch.get(),
        body: Some(body),
    })
}

fn query(body: query::Body) -> shard_command::Body {
    shard_command::Body::Query(internal::Query { body: Some(body) })
}

fn request_id(id: &RequestId) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

fn citizen(key: &CitizenKey) -> Bytes {
    Bytes::copy_from_slice(key.as_bytes())
}

pub(super) fn sale_site(session: &Session) -> Option<storage::SaleSite> {
    Some(storage::SaleSite {
        code: session.site.as_str().to_owned(),
        site_type: u32::from(session.site_type.get()),
        region: session.region.as_ref().to_owned(),
        suspended: session.is_suspended,
    })
}

pub(super) fn claims(claims: &Claims) -> storage::Claims {
    storage::Claims {
        birth_year: claims.birth_year.map_or(0, u32::from),
        id_digit: claims.id_digit.map(u32::from),
    }
}

fn proxy(proxy: &Proxy) -> storage::Proxy {
    storage::Proxy {
        ground: proxy.ground.as_str().to_owned(),
        buyer: proxy.buyer.as_ref().map(claims),
    }
}

/// Empty: the program's first product.
fn product(product: Option<ProductId>) -> String {
    product.map_or_else(String::new, |product| product.to_string())
}

fn purchase_bytes(purchase: &Purchase) -> usize {
    SMALL_BYTES + purchase.session.region.len()
}

impl Operation for Record {
    type Answer = Recorded;
    const WRITES: bool = true;

    fn bytes(&self) -> usize {
        purchase_bytes(&self.purchase)
    }

    fn encode(&self, epoch: Epoch) -> shard_command::Body {
        let purchase = &self.purchase;
        let sale = storage::RecordSale {
            request_id: request_id(&self.request_id),
            citizen: citizen(&purchase.beneficiary.citizen),
            program: purchase.beneficiary.program.as_str().to_owned(),
            quantity: purchase.quantity,
            site: sale_site(&purchase.session),
            claims: Some(claims(&purchase.claims)),
            product: product(purchase.product),
            proxy: purchase.proxy.as_ref().map(proxy),
        };
        write(epoch, command::Body::Record(sale))
    }

    fn decode(wire: Wire) -> Result<Recorded, BadAnswer> {
        match wire {
            Wire::Outcome(outcome::Body::Record(record)) => decode::recorded(record),
            _ => Err(BadAnswer::Kind),
        }
    }
}

impl Operation for Check {
    type Answer = Verdict;
    const WRITES: bool = false;

    fn bytes(&self) -> usize {
        purchase_bytes(&self.purchase)
    }

    fn encode(&self, _: Epoch) -> shard_command::Body {
        let purchase = &self.purchase;
        query(query::Body::Check(internal::CheckQuery {
            citizen: citizen(&purchase.beneficiary.citizen),
            program: purchase.beneficiary.program.as_str().to_owned(),
            quantity: purchase.quantity,
            site: sale_site(&purchase.session),
            claims: Some(claims(&purchase.claims)),
            product: product(purchase.product),
            proxy: purchase.proxy.as_ref().map(proxy),
        }))
    }

    fn decode(wire: Wire) -> Result<Verdict, BadAnswer> {
        match wire {
            Wire::Read(query_reply::Body::Check(check)) => decode::verdict(check.verdict),
            _ => Err(BadAnswer::Kind),
        }
    }
}

impl Operation for Void {
    type Answer = Voided;
    const WRITES: bool = true;

    fn encode(&self, epoch: Epoch) -> shard_command::Body {
        let void = storage::VoidSale {
            request_id: request_id(&self.request_id),
            citizen: citizen(&self.beneficiary.citizen),
            program: self.beneficiary.program.as_str().to_owned(),
            sale_request_id: request_id(&self.sale_request_id),
            site_code: self.site.as_str().to_owned(),
            correction: None,
            claims: Some(claims(&self.claims)),
        };
        write(epoch, command::Body::Void(void))
    }

    fn decode(wire: Wire) -> Result<Voided, BadAnswer> {
        match wire {
            Wire::Outcome(outcome::Body::Void(void)) => decode::voided(void),
            _ => Err(BadAnswer::Kind),
        }
    }
}

impl Operation for List {
    type Answer = Vec<Sale>;
    const WRITES: bool = false;

    fn encode(&self, _: Epoch) -> shard_command::Body {
        query(query::Body::List(internal::ListQuery {
            citizen: citizen(&self.beneficiary.citizen),
            program: self.beneficiary.program.as_str().to_owned(),
        }))
    }

    fn decode(wire: Wire) -> Result<Vec<Sale>, BadAnswer> {
        match wire {
            Wire::Read(query_reply::Body::List(list)) => {
                list.sales.into_iter().map(decode::sale).collect()
            }
            _ => Err(BadAnswer::Kind),
        }
    }
}

impl Operation for FindDevice {
    type Answer = FoundDevice;
    const WRITES: bool = false;

    fn encode(&self, _: Epoch) -> shard_command::Body {
        query(query::Body::Device(internal::DeviceQuery {
            site_code: self.site.as_str().to_owned(),
            device_id: self.device.as_str().to_owned(),
        }))
    }

    fn decode(wire: Wire) -> Result<FoundDevice, BadAnswer> {
        match wire {
            Wire::Read(query_reply::Body::Device(device)) => decode::found_device(device),
            _ => Err(BadAnswer::Kind),
        }
    }
}

impl Operation for PutSites {
    type Answer = SitesPut;
    const WRITES: bool = true;

    fn bytes(&self) -> usize {
        let texts = |site: &Site| site.name.len() + site.address.len() + site.region.len();
        self.sites
            .iter()
            .map(|site| SMALL_BYTES + texts(site))
            .sum()
    }

    fn encode(&self, epoch: Epoch) -> shard_command::Body {
        let sites = self.sites.iter().map(site_profile).collect();
        write(epoch, command::Body::PutSites(storage::PutSites { sites }))
    }

    fn decode(wire: Wire) -> Result<SitesPut, BadAnswer> {
        match wire {
            Wire::Outcome(outcome::Body::PutSites(put)) => Ok(SitesPut {
                added: put.added,
                replaced: put.replaced,
                unchanged: put.unchanged,
            }),
            _ => Err(BadAnswer::Kind),
        }
    }
}

impl Operation for PutDevice {
    type Answer = DevicePut;
    const WRITES: bool = true;

    fn encode(&self, epoch: Epoch) -> shard_command::Body {
        let device = storage::PutDevice {
            site_code: self.site.as_str().to_owned(),
            device_id: self.device.as_str().to_owned(),
            public_key: Bytes::copy_from_slice(&self.public_key),
        };
        write(epoch, command::Body::PutDevice(device))
    }

    fn decode(wire: Wire) -> Result<DevicePut, BadAnswer> {
        match wire {
            Wire::Outcome(outcome::Body::PutDevice(put)) => Ok(decode::device_put(put)),
            _ => Err(BadAnswer::Kind),
        }
    }
}

impl Operation for Checkpoint {
    type Answer = ();
    const WRITES: bool = true;

    fn encode(&self, epoch: Epoch) -> shard_command::Body {
        let checkpoint = storage::Checkpoint { id: self.id };
        write(epoch, command::Body::Checkpoint(checkpoint))
    }

    fn decode(wire: Wire) -> Result<(), BadAnswer> {
        match wire {
            Wire::Outcome(outcome::Body::Done(storage::Done {})) => Ok(()),
            _ => Err(BadAnswer::Kind),
        }
    }
}

fn site_profile(site: &Site) -> storage::SiteProfile {
    storage::SiteProfile {
        code: site.code.as_str().to_owned(),
        name: site.name.clone(),
        address: site.address.clone(),
        site_type: u32::from(site.site_type.get()),
        latitude: site.location.map(|(latitude, _)| latitude),
        longitude: site.location.map(|(_, longitude)| longitude),
        region: site.region.as_ref().to_owned(),
    }
}
