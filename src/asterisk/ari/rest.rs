//! Questions to Asterisk, and their answers.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::translate;
use super::wire;
use crate::asterisk::interface::Asker;
use crate::asterisk::loss::{ANSWER_BYTES_MAX, Loss};
use crate::config;
use crate::tracker::event::Snapshot;

/// The ARI of one Asterisk: where it is and how to ask it.
#[derive(Debug)]
pub struct Rest {
    client: Client,
    base: Url,
    authorization: HeaderValue,
    username: String,
    app: String,
    wait: Duration,
}

impl Rest {
    /// Prepares to ask; nothing is sent yet. Each answer may take `wait`.
    pub(super) fn new(ari: &config::Ari, app: &str, wait: Duration) -> Result<Self, Loss> {
        let base = base(&ari.url)?;
        let builder = if base.scheme() == "http" {
            // Otherwise a machine without certificates could not even speak in the clear.
            Client::builder().tls_certs_only([])
        } else {
            Client::builder()
        };
        let client = builder
            .user_agent(concat!("callrelay/", env!("CARGO_PKG_VERSION")))
            .timeout(wait)
            // The credentials go to the configured address, not to where it or the environment points.
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .map_err(Loss::Client)?;
        Ok(Self {
            client,
            base,
            authorization: basic(&ari.username, ari.password.expose_secret())?,
            username: ari.username.clone(),
            app: app.to_owned(),
            wait,
        })
    }

    /// The application this is about.
    pub(super) fn app(&self) -> &str {
        &self.app
    }

    /// How long an answer may take.
    pub(super) const fn wait(&self) -> Duration {
        self.wait
    }

    /// The `Authorization` header, marked as sensitive.
    pub(super) fn authorization(&self) -> HeaderValue {
        self.authorization.clone()
    }

    /// The address of the WebSocket (`GET /events`): only this application, and not everything there
    /// is (`subscribeAll`), which would bring every device and endpoint too.
    pub(super) fn events_url(&self) -> Result<Url, Loss> {
        let mut url = self.url(&["events"]);
        url.query_pairs_mut().append_pair("app", &self.app);
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        match url.set_scheme(scheme) {
            Ok(()) => Ok(url),
            Err(()) => Err(Loss::Settings(format!(
                "`{}` is not http or https",
                self.base.scheme()
            ))),
        }
    }

    /// Subscribes the application to every channel and every bridge.
    ///
    /// See <https://docs.asterisk.org/Latest_API/API_Documentation/Asterisk_REST_Interface/Applications_REST_API/#subscribe>.
    pub(super) async fn subscribe(&self) -> Result<(), Loss> {
        let url = self.subscription_url("channel:,bridge:");
        self.answer(
            "POST /applications/subscription",
            self.client.request(Method::POST, url),
        )
        .await
        .map(drop)
    }

    /// Takes the subscription back. Asterisk 16 keeps an application that nobody listens to for as
    /// long as it is subscribed to anything, and goes on preparing events for it.
    ///
    /// `channel:` means every channel only in a subscription; to end it, Asterisk wants the names
    /// that it lists itself.
    pub(super) async fn unsubscribe(&self) -> Result<(), Loss> {
        let state = self.application().await?;
        let channels = state.channel_ids.iter().map(|id| format!("channel:{id}"));
        let bridges = state.bridge_ids.iter().map(|id| format!("bridge:{id}"));
        let sources: Vec<String> = channels.chain(bridges).collect();
        let url = self.subscription_url(&sources.join(","));
        self.answer(
            "DELETE /applications/subscription",
            self.client.request(Method::DELETE, url),
        )
        .await
        .map(drop)
    }

    /// Asks Asterisk not to send events of these kinds. It forgets that with the application.
    ///
    /// See <https://docs.asterisk.org/Latest_API/API_Documentation/Asterisk_REST_Interface/Applications_REST_API/#filter>.
    pub(super) async fn filter(&self, disallowed: &[&str]) -> Result<(), Loss> {
        let kinds: Vec<_> = disallowed.iter().map(|kind| json!({"type": kind})).collect();
        let request = self
            .client
            .request(Method::PUT, self.url(&["applications", &self.app, "eventFilter"]))
            .json(&json!({"disallowed": kinds}));
        self.answer("PUT /applications/eventFilter", request)
            .await
            .map(drop)
    }

    /// The kinds of events that Asterisk says it will not send.
    pub(super) async fn filtered(&self) -> Result<Vec<String>, Loss> {
        let state = self.application().await?;
        Ok(state
            .events_disallowed
            .into_iter()
            .map(|event| event.kind)
            .collect())
    }

    /// Whether Asterisk knows the application. If not, nobody listens to it. If so, somebody does, or,
    /// with Asterisk 16, did and went without [`Rest::unsubscribe`].
    pub(super) async fn application_exists(&self) -> Result<bool, Loss> {
        match self.application().await {
            Ok(_) => Ok(true),
            Err(Loss::NotFound { .. }) => Ok(false),
            Err(loss) => Err(loss),
        }
    }

    fn subscription_url(&self, sources: &str) -> Url {
        let mut url = self.url(&["applications", &self.app, "subscription"]);
        url.query_pairs_mut().append_pair("eventSource", sources);
        url
    }

    async fn application(&self) -> Result<wire::Application, Loss> {
        let request = "GET /applications";
        let answer = self.get(request, &["applications", &self.app]).await?;
        serde_json::from_str(&answer).map_err(|error| Loss::Failed {
            request,
            reason: error.to_string(),
        })
    }

    async fn get(&self, name: &'static str, path: &[&str]) -> Result<String, Loss> {
        self.answer(name, self.client.request(Method::GET, self.url(path)))
            .await
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// Sends a request and reads its answer whole. `name` stands for it in what is said of it.
    async fn answer(&self, name: &'static str, request: RequestBuilder) -> Result<String, Loss> {
        let request = request.header(AUTHORIZATION, self.authorization());
        let mut response = request.send().await.map_err(|error| self.failed(name, error))?;
        if !response.status().is_success() {
            return Err(self.refused(name, response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(name, error))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Loss::AnswerTooLarge { request: name });
            }
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(body).map_err(|_| Loss::Failed {
            request: name,
            reason: "the answer is not UTF-8".to_owned(),
        })
    }

    /// What it means that a request was answered with this status.
    pub(super) fn refused(&self, request: &'static str, status: StatusCode) -> Loss {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Loss::Denied {
                request,
                username: self.username.clone(),
                status: status.as_u16(),
            },
            StatusCode::NOT_FOUND => Loss::NotFound { request },
            other => Loss::Status {
                request,
                status: other.as_u16(),
            },
        }
    }

    fn failed(&self, request: &'static str, error: reqwest::Error) -> Loss {
        if error.is_timeout() {
            return Loss::NoAnswer {
                request,
                wait: self.wait,
            };
        }
        Loss::Failed {
            request,
            reason: causes(&error.without_url()),
        }
    }
}

impl Asker for Rest {
    async fn everything(&self) -> Result<(Snapshot, usize), Loss> {
        let channels = self.get("GET /channels", &["channels"]).await?;
        let bridges = self.get("GET /bridges", &["bridges"]).await?;
        let endpoints = self.get("GET /endpoints", &["endpoints"]).await?;
        Ok(translate::snapshot(&channels, &bridges, &endpoints)?)
    }

    async fn channels_and_bridges(&self) -> Result<Snapshot, Loss> {
        let channels = self.get("GET /channels", &["channels"]).await?;
        let bridges = self.get("GET /bridges", &["bridges"]).await?;
        let (snapshot, _) = translate::snapshot(&channels, &bridges, "[]")?;
        Ok(snapshot)
    }

    async fn endpoints(&self) -> Result<Vec<String>, Loss> {
        let endpoints = self.get("GET /endpoints", &["endpoints"]).await?;
        let (snapshot, _) = translate::snapshot("[]", "[]", &endpoints)?;
        Ok(snapshot.endpoints)
    }
}

/// The address without credentials, query and fragment, which could otherwise end up in a log.
fn base(url: &str) -> Result<Url, Loss> {
    let mut base = Url::parse(url).map_err(|error| Loss::Settings(error.to_string()))?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err(Loss::Settings(format!(
            "`{}` is not http or https",
            base.scheme()
        )));
    }
    let stripped = base.set_username("").and_then(|()| base.set_password(None));
    stripped.map_err(|()| Loss::Settings("the address has no host".to_owned()))?;
    base.set_query(None);
    base.set_fragment(None);
    Ok(base)
}

/// HTTP basic authentication (RFC 7617), marked as sensitive so that it is never printed.
fn basic(username: &str, password: &str) -> Result<HeaderValue, Loss> {
    let credentials = BASE64_STANDARD.encode(format!("{username}:{password}"));
    let mut value = HeaderValue::try_from(format!("Basic {credentials}"))
        .map_err(|_| Loss::Settings("the credentials do not fit a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// An error and what lies under it, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
