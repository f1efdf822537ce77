//! The operator's listener: health, live calls, links, refusals, warnings, numbers, and a page of all that. Never
//! message bodies.
//!
//! `door` is who may read it, `answers` what programs read, of `lines`, as `described`, `page` what people do. What others
//! count and keep, [`Facts`] asks them for.

mod answers;
mod described;
mod door;
mod lines;
mod page;
mod readiness;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tokio::sync::{mpsc, oneshot, watch};

pub use readiness::{Health, Readiness};

use super::places::Places;
use super::problem::Problem;
use super::refusals::Refusals;
use super::server::{Listening, serve};
use super::spec::{Table, get};
use super::{FromGateway, routes};
use crate::clock::Clock;
use crate::journal::Journal;
use crate::metrics::{MEDIA_TYPE, Metrics};
use crate::model::{Moment, PbxName};
use crate::relay::Wanted;

/// Connections of operators and their programs at a time.
const CONNECTIONS_MAX: usize = 256;
/// How long the loop may take to answer. It takes no questions while the store is far behind.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What the operator may know besides what the loop tells.
#[derive(Debug)]
pub struct Facts {
    /// What time it is.
    pub clock: Clock,
    /// When the relay started.
    pub started_at: Moment,
    /// Each PBX.
    pub pbxs: BTreeMap<PbxName, PbxFacts>,
    /// The links that were refused.
    pub refusals: Arc<Refusals>,
    /// The last warnings and errors.
    pub journal: Journal,
    /// Numbers for Prometheus.
    pub metrics: Metrics,
    /// Names under which the listener may be asked, besides `localhost` and addresses.
    pub hosts: Vec<String>,
}

/// What the operator may know of a PBX besides how it does.
pub struct PbxFacts {
    /// Its kind, as it is configured.
    pub kind: &'static str,
    /// Where it is, if the relay connects to it.
    pub url: Option<String>,
    /// What was counted of it until now, if the relay connects to it.
    pub counts: Option<Box<dyn Fn() -> PbxCounts + Send + Sync>>,
}

/// What was counted of a PBX since the relay started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PbxCounts {
    /// Connections that came to a comparison.
    pub connections: u64,
    /// Those of them that were lost.
    pub losses: u64,
    /// Answers to the running comparison.
    pub comparisons: u64,
    /// What these repaired, by kind.
    pub repairs: Vec<(&'static str, u64)>,
}

impl fmt::Debug for PbxFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PbxFacts")
            .field("kind", &self.kind)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
pub(super) struct Admin {
    to_loop: mpsc::Sender<FromGateway>,
    readiness: watch::Receiver<Readiness>,
    facts: Arc<Facts>,
}

/// Serves the operator until the relay stops.
pub async fn serve_admin(
    listening: Listening,
    to_loop: mpsc::Sender<FromGateway>,
    readiness: watch::Receiver<Readiness>,
    facts: Facts,
    stopping: watch::Receiver<bool>,
) {
    let admin = Admin {
        to_loop,
        readiness,
        facts: Arc::new(facts),
    };
    let router = assembled()
        .layer(middleware::from_fn_with_state(admin.clone(), door::guard))
        .with_state(admin);
    serve(
        listening,
        router,
        Places::new(CONNECTIONS_MAX, CONNECTIONS_MAX),
        stopping,
    )
    .await;
}

/// The routes and the page, without the door.
pub(super) fn assembled() -> Router<Admin> {
    page::routes(table().into_router())
        .fallback(routes::nothing_here)
        .method_not_allowed_fallback(routes::other_method)
}

/// The routes, each with its description.
pub(super) fn table() -> Table<Admin> {
    Table::new()
        .route(
            "/healthz",
            get(async || "alive\n", described::healthz_operation()),
        )
        .route("/readyz", get(answers::readyz, described::readyz_operation()))
        .route("/metrics", get(numbers, described::metrics_operation()))
        .route("/v1/status", get(answers::status, described::status_operation()))
        .route("/v1/pbxs", get(answers::pbxs, described::pbxs_operation()))
        .route("/v1/calls", get(answers::calls, described::calls_operation()))
        .route("/v1/links", get(answers::links, described::links_operation()))
        .route(
            "/v1/refusals",
            get(answers::refusals, described::refusals_operation()),
        )
        .route("/v1/log", get(answers::log, described::log_operation()))
}

/// What the parts counted, and what there is now.
async fn numbers(State(admin): State<Admin>) -> Result<Response, Problem> {
    // They are only counted, and none is described.
    let none = || Wanted {
        limit: Some(0),
        ..Wanted::default()
    };
    let calls = admin.ask(|reply| FromGateway::Calls(none(), reply)).await?;
    let links = admin.ask(|reply| FromGateway::Links(none(), reply)).await?;
    let mut numbers = admin.facts.metrics.exposition();
    let (standing, linked) = (calls.standing as u64, links.total as u64);
    numbers.gauge("callrelay_calls", "Calls that stand.", &[], standing);
    numbers.gauge("callrelay_links", "Terminals that are linked.", &[], linked);
    let kept = admin.ask(FromGateway::Kept).await?;
    numbers.gauge(
        "callrelay_mailboxes",
        "Mailboxes that are kept, those of ended calls that linger included.",
        &[],
        kept.mailboxes as u64,
    );
    for (name, (channels, bridges)) in &kept.pbxs {
        let of_pbx = [("pbx", name.as_str())];
        let known = "Channels of the PBX that are known.";
        numbers.gauge("callrelay_pbx_channels", known, &of_pbx, *channels as u64);
        let known = "Bridges of the PBX that are known.";
        numbers.gauge("callrelay_pbx_bridges", known, &of_pbx, *bridges as u64);
    }
    let readiness = admin.readiness.borrow().clone();
    numbers.gauge(
        "callrelay_store_up",
        "Whether the store takes writes.",
        &[],
        u64::from(readiness.store.is_well()),
    );
    for (name, health) in &readiness.pbxs {
        numbers.gauge(
            "callrelay_pbx_up",
            "Whether the PBX is connected and compared.",
            &[("pbx", name.as_str())],
            u64::from(health.is_well()),
        );
    }
    Ok(([(CONTENT_TYPE, MEDIA_TYPE)], numbers.text()).into_response())
}

impl Admin {
    /// Asks the loop, which does not keep anybody waiting for long.
    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> FromGateway) -> Result<T, Problem> {
        let unavailable = |detail: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        let (reply, answer) = oneshot::channel();
        let asking = async {
            self.to_loop.send(question(reply)).await.ok()?;
            answer.await.ok()
        };
        match tokio::time::timeout(ANSWER_TIMEOUT, asking).await {
            Ok(answer) => answer.ok_or_else(|| unavailable("the relay is stopping")),
            Err(_) => Err(unavailable("the relay has too much to do to answer this")),
        }
    }
}
