//! `callrelay healthcheck`: for containers and service managers.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::{ConfigArg, WrongUsage};
use crate::config::Draft;

/// Beyond this the relay is as good as not there.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The most of an answer that is printed.
const ANSWER_CHARS_MAX: usize = 4096;

/// `callrelay healthcheck`
#[derive(Args, Debug)]
pub(super) struct HealthcheckArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The operator's listener, such as `http://127.0.0.1:8481` [default: from the configuration]
    #[arg(long, conflicts_with = "config")]
    url: Option<String>,
}

/// Asks `/readyz` and prints what it says.
pub(super) async fn run(args: &HealthcheckArgs) -> anyhow::Result<ExitCode> {
    let base = match &args.url {
        Some(url) => url.clone(),
        None => configured(args)?,
    };
    let mut url = reqwest::Url::parse(&base).map_err(|error| WrongUsage(format!("--url {base}: {error}")))?;
    if url.path() == "/" {
        url.set_path("/readyz");
    }
    // Not by way of a proxy: the question is whether the relay beside us is well.
    let mut builder = reqwest::Client::builder().no_proxy().timeout(TIMEOUT);
    if url.scheme() == "http" {
        // Otherwise a machine without certificates could not even speak in the clear.
        builder = builder.tls_certs_only([]);
    }
    let client = builder.build()?;
    let answer = client
        .get(url)
        .send()
        .await
        .context("the relay does not answer")?;
    let ready = answer.status().is_success();
    let text = answer.text().await.context("the relay broke off")?;
    let shown: String = text.trim().chars().take(ANSWER_CHARS_MAX).collect();
    writeln!(std::io::stdout().lock(), "{shown}")?;
    Ok(if ready {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn configured(args: &HealthcheckArgs) -> anyhow::Result<String> {
    let draft = Draft::read(&args.config.sources())?;
    let address = draft
        .admin_listen()
        .ok_or_else(|| WrongUsage("server.admin_listen is not an address; see check-config".to_owned()))?;
    Ok(format!("http://{}", reachable(address)))
}

/// Where a listener on every address is reached from the same machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        match address {
            SocketAddr::V4(_) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            SocketAddr::V6(_) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        }
    }
    address
}
