//! What every call passes: its time, its caller, its place among the others, and the parts of a request
//! that several calls share.

use std::{sync::Arc, time::Duration};

use quorate_link::{Env, Role, peer_role};
use quorate_proto::{
    ids::{DeviceId, GroundId, ProductId, ProgramId, RequestId, RequestIdError, SiteCode},
    status::{ErrorReason, to_status},
    v1,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tonic::{Request, Status};
use zeroize::Zeroizing;

use super::{
    deadline::{self, Patience},
    errors,
};
use crate::{
    directory::{Program, View},
    dispatch::Dispatcher,
    limits,
    model::{Beneficiary, Claims, Proxy, Purchase, Sale},
    national_id::{CitizenHasher, NationalId},
    public::Snapshot,
    sealing_keys::SealingKeys,
    session::{Challenger, Session, Tokens},
};

/// See [`Border`].
pub(crate) struct BorderConfig {
    pub(crate) cluster_id: String,
    pub(crate) dispatcher: Dispatcher,
    /// Asked whether a site is suspended.
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) hasher: CitizenHasher,
    pub(crate) challenger: Challenger,
    pub(crate) tokens: Tokens,
    pub(crate) sealing: SealingKeys,
    pub(crate) session_lifetime: Duration,
}

/// Shared by all services.
pub(crate) struct Border {
    pub(crate) cluster_id: String,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) challenger: Challenger,
    pub(crate) tokens: Tokens,
    pub(crate) sealing: SealingKeys,
    pub(crate) session_lifetime: Duration,
    snapshot: Arc<Snapshot>,
    hasher: CitizenHasher,
    calls: Arc<Semaphore>,
    admin_calls: Arc<Semaphore>,
    /// Streams of slips, and slips under way in all of them.
    pub(crate) slip_streams: Arc<Semaphore>,
    pub(crate) slips: Semaphore,
}

/// A person and a program, and what the clerk should look at.
pub(crate) struct Person {
    pub(crate) beneficiary: Beneficiary,
    pub(crate) claims: Claims,
    pub(crate) warnings: Vec<v1::Warning>,
}

/// The ID of a request, out of its message: overwritten when it is dropped, whatever becomes of the call.
pub(crate) struct SealedId {
    scheme: String,
    number: Zeroizing<String>,
}

impl SealedId {
    /// The first thing that is done with a request.
    pub(crate) fn take(field: &mut Option<v1::CitizenId>) -> Option<SealedId> {
        let id = field.take()?;
        Some(SealedId::new(id.scheme, Zeroizing::new(id.number)))
    }

    pub(crate) fn new(scheme: String, number: Zeroizing<String>) -> SealedId {
        SealedId { scheme, number }
    }
}

impl Border {
    pub(crate) fn new(config: BorderConfig) -> Border {
        Border {
            cluster_id: config.cluster_id,
            dispatcher: config.dispatcher,
            challenger: config.challenger,
            tokens: config.tokens,
            sealing: config.sealing,
            session_lifetime: config.session_lifetime,
            snapshot: config.snapshot,
            hasher: config.hasher,
            calls: Arc::new(Semaphore::new(limits::CALLS_MAX)),
            admin_calls: Arc::new(Semaphore::new(limits::ADMIN_CALLS_MAX)),
            slip_streams: Arc::new(Semaphore::new(limits::SLIP_STREAMS_MAX)),
            slips: Semaphore::new(limits::SLIPS_UNDER_WAY_MAX),
        }
    }

    pub(crate) fn env(&self) -> &Env {
        &self.dispatcher.env
    }

    /// A terminal's place among the calls under way.
    pub(crate) fn place(&self) -> Result<SemaphorePermit<'_>, Status> {
        let place = self.calls.try_acquire();
        place.map_err(|_| errors::overloaded(self.env()))
    }

    /// The same for a call that is answered with a stream, until the stream ends.
    pub(crate) fn stream_place(&self) -> Result<OwnedSemaphorePermit, Status> {
        let place = self.calls.clone().try_acquire_owned();
        place.map_err(|_| errors::overloaded(self.env()))
    }

    /// The newest view; waits for the first one.
    pub(crate) async fn view(&self, deadline: Duration) -> Result<Arc<View>, Status> {
        let directory = &self.dispatcher.directory;
        loop {
            let seen = directory.revision();
            if let Some(view) = directory.view() {
                return Ok(view);
            }
            let time_left = deadline.saturating_sub(self.env().monotonic());
            let news = directory.changed_since(seen);
            if self.env().timeout(time_left, news).await.is_err() {
                return Err(errors::unavailable(self.env()));
            }
        }
    }

    /// Shards keep a program's first product without its name, so that naming it or not is the same sale.
    pub(crate) fn name_products(&self, sales: &mut [Sale], program: &ProgramId) {
        let view = self.dispatcher.directory.view();
        let program = view.as_ref().and_then(|view| view.program(program));
        let Some(first) = program.and_then(|program| program.products.first()) else {
            return;
        };
        for sale in sales.iter_mut().filter(|sale| sale.product.is_empty()) {
            sale.product = first.to_string();
        }
    }

    /// When the answer must leave, by the monotonic clock.
    pub(crate) fn deadline<T>(
        &self,
        request: &Request<T>,
        patience: Patience,
    ) -> Result<Duration, Status> {
        let header = request.metadata().get(deadline::HEADER);
        let header = header.map(tonic::metadata::MetadataValue::as_encoded_bytes);
        let time = deadline::time_for_answer(header, patience);
        if time.is_zero() {
            return Err(errors::deadline_passed());
        }
        Ok(self.env().monotonic() + time)
    }

    /// Who is calling.
    pub(crate) fn session<T>(&self, request: &Request<T>) -> Result<Session, Status> {
        let token = request
            .metadata()
            .get("authorization")
            .and_then(|header| header.to_str().ok())
            .and_then(bearer_token)
            .ok_or_else(|| {
                errors::plain(
                    ErrorReason::SessionMissing,
                    "this call needs a session token",
                )
            })?;
        let now_ms = self.env().unix_ms();
        let session = self.tokens.verify(token, now_ms).map_err(errors::token)?;
        Ok(Session {
            is_suspended: self.snapshot.is_suspended(&session.site),
            ..session
        })
    }

    /// Lets operators in, and nobody else. The permit bounds how many are in.
    pub(crate) fn operator<T>(
        &self,
        request: &Request<T>,
    ) -> Result<(OwnedSemaphorePermit, String), Status> {
        let name = match peer_role(request, &self.cluster_id)? {
            Role::Operator(name) => name,
            Role::Node(_) | Role::Gateway(_) => {
                let message = "this call needs the certificate of an operator";
                return Err(to_status(ErrorReason::RoleRequired, message, &[], None));
            }
        };
        let place = self.admin_calls.clone().try_acquire_owned();
        let place = place.map_err(|_| errors::overloaded(self.env()))?;
        Ok((place, name))
    }

    /// Reads the ID, turns it into a key, forgets it.
    pub(crate) fn person(&self, id: Option<SealedId>, program: &str) -> Result<Person, Status> {
        let Some(SealedId { scheme, number }) = id else {
            return Err(errors::wrong_field(
                ErrorReason::InvalidCitizenId,
                "citizen",
                "a citizen is required",
            ));
        };
        let id = NationalId::parse(&scheme, number, self.env().unix_ms())
            .map_err(|error| errors::citizen("citizen", error))?;
        let program = ProgramId::parse(program).map_err(|error| {
            let message = format!("a program's id {error}");
            errors::wrong_field(ErrorReason::UnknownProgram, "program", message)
        })?;
        let warnings = match id.checksum_matches() {
            true => Vec::new(),
            false => vec![v1::Warning::IdChecksumMismatch],
        };
        Ok(Person {
            beneficiary: Beneficiary {
                citizen: self.hasher.key(&id),
                program,
            },
            claims: id.claims(),
            warnings,
        })
    }

    /// Reads who buys for the person. The buyer's ID is forgotten at once: only what it says of the day of
    /// its holder is of use.
    pub(crate) fn proxy(
        &self,
        ground: Option<&str>,
        buyer: Option<SealedId>,
    ) -> Result<Option<Proxy>, Status> {
        let Some(ground) = ground else {
            return Ok(None);
        };
        let ground = GroundId::parse(ground).map_err(|error| {
            errors::invalid("proxy.ground", format!("the ground of a proxy {error}"))
        })?;
        let claims = buyer.map(|SealedId { scheme, number }| {
            let id = NationalId::parse(&scheme, number, self.env().unix_ms());
            id.map(|id| id.claims())
                .map_err(|error| errors::citizen("proxy.buyer", error))
        });
        Ok(Some(Proxy {
            ground,
            buyer: claims.transpose()?,
        }))
    }

    /// What a session's site asks for, for this person.
    pub(crate) fn purchase(
        &self,
        person: &Person,
        product: &str,
        quantity: u32,
        proxy: Option<Proxy>,
        session: Session,
    ) -> Result<Purchase, Status> {
        Ok(Purchase {
            beneficiary: person.beneficiary,
            claims: person.claims,
            product: optional_product("product", product)?,
            quantity: self::quantity(quantity)?,
            proxy,
            session,
        })
    }
}

/// The token of an `authorization` header.
fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Empty: none is named.
pub(crate) fn optional_product(field: &str, text: &str) -> Result<Option<ProductId>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let product = ProductId::parse(text);
    product
        .map(Some)
        .map_err(|error| errors::invalid(field, format!("a product's id {error}")))
}

pub(crate) fn quantity(quantity: u32) -> Result<u32, Status> {
    if quantity == 0 {
        return Err(errors::wrong_field(
            ErrorReason::InvalidQuantity,
            "quantity",
            "the quantity must be 1 or more",
        ));
    }
    Ok(quantity)
}

pub(crate) fn request_id(field: &str, text: &str) -> Result<RequestId, Status> {
    RequestId::parse(text).map_err(|error: RequestIdError| {
        errors::wrong_field(ErrorReason::InvalidRequestId, field, error.to_string())
    })
}

pub(crate) fn site_code(field: &str, text: &str) -> Result<SiteCode, Status> {
    SiteCode::parse(text).map_err(|error| errors::invalid(field, format!("a site's code {error}")))
}

pub(crate) fn device_id(field: &str, text: &str) -> Result<DeviceId, Status> {
    DeviceId::parse(text).map_err(|error| errors::invalid(field, format!("a device's id {error}")))
}

/// The program that is meant where none is named.
pub(crate) fn first_program(view: &View) -> Result<&Program, Status> {
    view.programs.first().ok_or_else(|| {
        let message = "there is no program yet; an operator puts one in force";
        errors::plain(ErrorReason::UnknownProgram, message)
    })
}

/// The product of that name, of whichever program; without a name, the first one of the first program.
pub(crate) fn product(view: &View, text: &str) -> Result<ProductId, Status> {
    let first = first_program(view)?;
    if text.is_empty() {
        // A program has at least one product.
        return first.products.first().copied().ok_or_else(unknown_product);
    }
    let product = ProductId::parse(text)
        .map_err(|error| errors::invalid("product", format!("a product's id {error}")))?;
    let is_known = |program: &Program| program.products.contains(&product);
    match view.programs.iter().any(is_known) {
        true => Ok(product),
        false => Err(unknown_product()),
    }
}

fn unknown_product() -> Status {
    errors::invalid("product", "there is no such product")
}

/// A text for people, on one line, of at most so many bytes. It may be empty.
pub(crate) fn line(field: &str, text: &str, bytes_max: usize) -> Result<(), Status> {
    if text.len() > bytes_max {
        let message = format!("must not be longer than {bytes_max} bytes");
        return Err(errors::invalid(field, message));
    }
    if text.chars().any(char::is_control) {
        return Err(errors::invalid(field, "must not hold control characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_as_bearer() {
        let cases = [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("BEARER   abc", Some("abc")),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic abc", None),
            ("abc", None),
            ("", None),
        ];
        for (header, token) in cases {
            assert_eq!(bearer_token(header), token, "{header:?}");
        }
    }
}
