//! `POST /v1/pbx/{name}/events`: a switch says what happens to calls.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use tokio::sync::oneshot;
use tracing::{debug, warn};

use super::auth::bearer;
use super::problem::Problem;
use super::{FromGateway, Gateway};
use crate::model::PbxName;
use crate::notify::{NotifyPort, Posted};

/// Bytes of one post.
pub(super) const POST_BYTES_MAX: usize = 256 * 1024;

/// Takes in the lines of a post, in order, up to one that is wrong.
pub(super) async fn events(
    State(gateway): State<Arc<Gateway>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    text: Result<String, axum::extract::rejection::StringRejection>,
) -> Response {
    let pbx = PbxName::new(name);
    let Some(port) = admitted(&gateway, &pbx, &headers) else {
        warn!("notifications were refused: no such PBX, or not its token");
        return Problem::wants_token("not the token of this PBX").into_response();
    };
    let text = match text {
        Ok(text) => text,
        Err(rejection) => return Problem::new(rejection.status(), rejection.body_text()).into_response(),
    };
    match port.post(text).await {
        None => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the relay is stopping").into_response(),
        Some(posted) if is_safe(&gateway).await => answer(&pbx, posted),
        Some(_) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "it cannot be stored at present").into_response()
        }
    }
}

/// Waits until what was posted would survive a crash: a switch says it once, and cannot be asked afterwards.
async fn is_safe(gateway: &Gateway) -> bool {
    let (reply, safe) = oneshot::channel();
    gateway.tell_loop(|| FromGateway::Safe(reply)).await && safe.await.is_ok()
}

/// The same refusal for a PBX that does not exist, one that does not post, and a wrong token.
fn admitted<'a>(gateway: &'a Gateway, pbx: &PbxName, headers: &HeaderMap) -> Option<&'a NotifyPort> {
    let port = gateway.notify.get(pbx)?;
    port.admits(bearer(headers)?).then_some(port)
}

fn answer(pbx: &PbxName, posted: Posted) -> Response {
    debug!(%pbx, lines = posted.accepted, "notified");
    let Some(refused) = posted.refused else {
        return Json(serde_json::json!({ "accepted": posted.accepted })).into_response();
    };
    warn!(%pbx, line = refused.number, "a notification could not be taken in");
    let detail = format!("line {}: {}", refused.number, refused.reason);
    Problem::new(StatusCode::BAD_REQUEST, detail)
        .with("line", refused.number.into())
        .with("reason", refused.reason.into())
        .with("accepted", posted.accepted.into())
        .into_response()
}
