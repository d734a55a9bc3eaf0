//! Which question is whose: method and path to the module that answers.
//!
//! State owned: the bound on answers under way. Deliberately absent: reading bodies; a request's head is
//! all of it that is ever looked at.

use std::{convert::Infallible, sync::Arc};

use http::{HeaderValue, Method, Request, Response, StatusCode, header::ALLOW};
use hyper::body::Incoming;
use quorate_link::Env;
use quorate_proto::ids::ProductId;

use super::{
    answer::{self, Answer, Body, Outgoing},
    deltas::Deltas,
    freshness::Freshness,
    legacy, openapi, page,
    snapshot::{Shown, Snapshot},
    v1,
};
use crate::directory::{Directory, Program};

/// What answers are made of.
pub(super) struct App {
    /// Whose stock is shown where neither a request nor the configuration says so: the first.
    product: Option<ProductId>,
    pub(super) directory: Arc<Directory>,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) deltas: Deltas,
    pub(super) env: Env,
    outgoing: Outgoing,
}

impl App {
    pub(super) fn new(
        product: Option<ProductId>,
        directory: Arc<Directory>,
        snapshot: Arc<Snapshot>,
        env: Env,
    ) -> App {
        App {
            product,
            directory,
            snapshot,
            deltas: Deltas::new(&env),
            env,
            outgoing: Outgoing::new(),
        }
    }

    /// Answers one request.
    pub(super) fn answer(self: &Arc<App>, request: &Request<Incoming>) -> Response<Body> {
        let (path, query) = (request.uri().path(), request.uri().query());
        let is_legacy = path.starts_with(legacy::BASE);
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return answer::uncounted(other_method(request.method(), is_legacy));
        }
        if is_legacy {
            let answer = legacy::answer(self, path, query);
            let sealed = self.outgoing.seal(answer);
            return sealed.unwrap_or_else(|_| answer::uncounted(legacy::throttled()));
        }
        let headers = request.headers();
        let answer = match path {
            "/" | "/page.js" | "/page.css" => page::answer(path),
            v1::deltas::PATH => match v1::deltas::answer(self, query, headers) {
                Ok(response) => return response,
                Err(problem) => problem.answer(),
            },
            v1::sites::PATH => v1::sites::answer(self, query, headers),
            v1::status::PATH => v1::status::answer(self, query),
            openapi::PATH => openapi::answer(),
            _ => match path.strip_prefix(v1::site::PREFIX) {
                Some(code) => v1::site::answer(self, code, query, headers),
                None => v1::not_found(),
            },
        };
        let sealed = self.outgoing.seal(answer);
        sealed.unwrap_or_else(|_| answer::uncounted(v1::throttled()))
    }

    /// Every program's every product, the one that is shown by default first.
    pub(super) fn shown(&self) -> Option<Shown> {
        let view = self.directory.view()?;
        let product = match self.product {
            Some(product) => Some(product),
            None => view.programs.first()?.products.first().copied(),
        };
        self.shown_as(product?)
    }

    /// How this product is shown; `None`: no program has it.
    pub(super) fn shown_as(&self, product: ProductId) -> Option<Shown> {
        let view = self.directory.view()?;
        let has_it = |program: &&Program| program.products.contains(&product);
        let program = view.programs.iter().find(has_it)?;
        Some(Shown {
            product: Some(product),
            zone: program.zone.clone(),
        })
    }

    /// How old the data is.
    pub(super) fn freshness(&self) -> Freshness {
        let view = self.directory.view();
        let shards = view.iter().flat_map(|view| view.map.shards());
        let shards = shards.map(|shard| shard.shard);
        Freshness::of(shards, &self.snapshot.heard(), self.env.monotonic())
    }
}

impl super::server::Answers for App {
    async fn answer(
        self: Arc<App>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        Ok(App::answer(&self, &request))
    }
}

fn other_method(method: &Method, is_legacy: bool) -> Answer {
    if *method == Method::OPTIONS {
        return answer::preflight();
    }
    let answer = if is_legacy {
        legacy::method_not_allowed()
    } else {
        v1::problem(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET, HEAD and OPTIONS are answered here",
            None,
        )
    };
    answer.with(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"))
}
