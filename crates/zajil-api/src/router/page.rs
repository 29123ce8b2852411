//! One page of the door: a handler behind its guard and its fence, and what it does.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use zajil_core::outcome::Refusal;

use super::Shared;
use crate::access::{self, Need};
use crate::fence::fenced;
use crate::openapi::Operation;

/// A verb for the router, and for the description.
pub(super) type Verb = (MethodFilter, &'static str);

pub(super) const GET: Verb = (MethodFilter::GET, "GET");
pub(super) const POST: Verb = (MethodFilter::POST, "POST");
pub(super) const PUT: Verb = (MethodFilter::PUT, "PUT");
pub(super) const PATCH: Verb = (MethodFilter::PATCH, "PATCH");
pub(super) const DELETE: Verb = (MethodFilter::DELETE, "DELETE");

/// Makes the description of a page.
pub(super) type Says = fn() -> Operation;

/// Pages with their descriptions: one cannot be added without the other.
pub(super) struct Pages {
    pub(super) router: Router<Shared>,
    pub(super) listed: Vec<(String, &'static str, Says)>,
}

impl Pages {
    pub(super) fn new() -> Self {
        Self {
            router: Router::new(),
            listed: Vec::new(),
        }
    }

    /// A handler at a path for who has what it needs, and what it does.
    pub(super) fn on<F, A>(
        mut self,
        (verb, path, need): (Verb, &str, Need),
        handler: F,
        says: fn() -> Operation,
    ) -> Self
    where
        F: Fn(Shared, Request) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<Response, Refusal>> + Send + 'static,
    {
        let (filter, name) = verb;
        self.router = self.router.route(path, page(filter, need, handler));
        self.listed.push((path.to_owned(), name, says));
        self
    }

    pub(super) fn merge(mut self, mut other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.listed.append(&mut other.listed);
        self
    }
}

/// A handler behind its guard and its fence: who may call it is said where it gets its path.
/// Handlers answer `Result<Response, Refusal>`, which axum does not take, so there is no way around
/// either; and no layer boxes each request once more.
fn page<F, A>(verb: MethodFilter, need: Need, handler: F) -> MethodRouter<Shared>
where
    F: Fn(Shared, Request) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response, Refusal>> + Send + 'static,
{
    on(verb, move |State(api): State<Shared>, request: Request| {
        let (door, handler) = (Arc::clone(&api), handler.clone());
        async move {
            let answer = |request| guarded(api, need, request, handler);
            door.request_ids.traced(request, answer).await
        }
    })
}

pub(super) async fn guarded<F, A>(
    api: Shared,
    need: Need,
    mut request: Request,
    handler: F,
) -> Response
where
    F: FnOnce(Shared, Request) -> A,
    A: Future<Output = Result<Response, Refusal>>,
{
    let now = api.now();
    let options = &api.options;
    let asked = (need, options.trusted_proxies.as_slice());
    let admitted = match options.access.admit(&request, asked, now) {
        Ok(admitted) => admitted,
        Err(denied) => return denied.answer(),
    };
    request.extensions_mut().insert(admitted.client);
    let mut response = fenced(handler(api, request)).await;
    if let Some(verdict) = admitted.verdict {
        access::mark(&mut response, verdict, now);
    }
    response
}
