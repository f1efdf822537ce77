//! What every live test stands on: an Asterisk that is there, a relay of its own, and phones.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::phone::{Phone, SipServer};
use crate::relay::RelayProcess;
use crate::terminal::Terminal;

/// The Asterisk to play on: `CALLRELAY_TEST_SIP`, `CALLRELAY_TEST_ARI` and
/// `CALLRELAY_TEST_ARI_PASSWORD`, or what `scripts/asterisk up` brings up.
#[derive(Clone, Debug)]
pub(crate) struct Pbx {
    pub(crate) sip: SipServer,
    pub(crate) ari_url: String,
    pub(crate) ari_password: String,
}

impl Pbx {
    fn from_environment() -> Result<Self> {
        let of = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
        let address: SocketAddr = of("CALLRELAY_TEST_SIP", "127.0.0.1:5060")
            .parse()
            .context("CALLRELAY_TEST_SIP is to be host:port")?;
        Ok(Self {
            sip: SipServer { address },
            ari_url: of("CALLRELAY_TEST_ARI", "http://127.0.0.1:8088/ari"),
            ari_password: of("CALLRELAY_TEST_ARI_PASSWORD", "callrelay"),
        })
    }

    async fn answers(&self) -> Result<()> {
        let asked = reqwest::Client::new()
            .get(format!("{}/asterisk/ping", self.ari_url))
            .basic_auth("callrelay", Some(&self.ari_password))
            .timeout(Duration::from_secs(3))
            .send()
            .await;
        match asked {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => bail!("the Asterisk at {} answers {}", self.ari_url, answer.status()),
            Err(_) => bail!(
                "no Asterisk answers at {}: `scripts/asterisk up` brings one up",
                self.ari_url
            ),
        }
    }
}

/// Whether the steps are told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Narrator {
    Aloud,
    Quiet,
}

impl Narrator {
    /// A step of the story.
    pub(crate) fn say(self, what: &str) {
        match self {
            // Whoever listened may have gone; the story goes on.
            Self::Aloud => drop(writeln!(std::io::stdout(), "{what}")),
            Self::Quiet => tracing::info!("{what}"),
        }
    }
}

/// The stage of one test.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) pbx: Pbx,
    pub(crate) relay: RelayProcess,
    pub(crate) narrator: Narrator,
    /// The five phones are one set; whoever plays has it alone.
    _phones: File,
}

impl Stage {
    /// Waits for the phones to be free and starts a relay.
    pub(crate) async fn set(narrator: Narrator) -> Result<Self> {
        // A second provider is refused, which is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let pbx = Pbx::from_environment()?;
        pbx.answers().await?;
        let name = format!("callrelay-phones-{}.lock", pbx.sip.address.port());
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(std::env::temp_dir().join(name))
            .context("the lock of the phones")?;
        let phones = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
        let relay = RelayProcess::start(&pbx).await?;
        Ok(Self {
            pbx,
            relay,
            narrator,
            _phones: phones,
        })
    }

    /// A registered phone.
    pub(crate) async fn phone(&self, number: &str) -> Result<Phone> {
        Phone::register(&self.pbx.sip, number).await
    }

    /// A terminal that waits at a phone, linked by the user's id.
    pub(crate) async fn waiting(&self, phone: &str) -> Result<Terminal> {
        let mut terminal = Terminal::connect(self, phone).await?;
        terminal.link(serde_json::json!({ "wait": true })).await?;
        terminal.hears(&format!("linked {phone}, in no call")).await?;
        Ok(terminal)
    }
}
