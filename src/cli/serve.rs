//! `callrelay serve`: runs the relay.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use rand::Rng;
use rand::rngs::StdRng;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing::info;

use super::{ConfigArg, numbers};
use crate::asterisk::interface::Interface;
use crate::asterisk::{Both, Connector, Counters, Renewal, ami, ari};
use crate::clock::Clock;
use crate::config::{Config, Flags, Pbx, PbxKind};
use crate::files::Folder;
use crate::gateway::{
    self, Authenticator, BrowserSettings, Facts, Gateway, Health, Listening, PbxFacts, Readiness, Refusals,
    Settings,
};
use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::model::{Moment, PbxName};
use crate::notify::{self, NotifyPort, Switchboard};
use crate::pbx::PbxReport;
use crate::relay::record::RestoredCall;
use crate::relay::{Relay, Rules};
use crate::runtime::{Followed, Queues, Repairs, Runtime};
use crate::store::{MailboxStore, SqliteStore, Writer};
use crate::tracker::{EndpointMap, Patience, Tracker};
use crate::users::{self, Users};

/// Reports of PBXs that may wait for the loop; connectors wait beyond that.
const REPORT_QUEUE: usize = 16_384;
/// Frames of terminals that may wait for the loop, each as large as a frame may be; sessions wait
/// beyond that.
const GATEWAY_QUEUE: usize = 512;
/// How long sessions may take to be told that the relay is going away.
const GOODBYE: Duration = Duration::from_millis(500);

/// Files of the largest size that one call may have.
const CALL_FILES: u64 = 10;

/// `callrelay serve`
#[derive(Args, Debug)]
pub struct ServeArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Where terminals connect (`server.listen`)
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where the operator connects (`server.admin_listen`)
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<String>,
}

/// Runs the relay until it is told to stop.
pub async fn run(args: &ServeArgs, journal: Journal) -> anyhow::Result<()> {
    let flags = Flags {
        listen: args.listen.clone(),
        admin_listen: args.admin_listen.clone(),
    };
    let config = crate::config::load(&args.config.sources().with_flags(flags))?;
    let (stop, stopping) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let relay = serve(&config, journal, stopping);
    tokio::pin!(relay);
    tokio::select! {
        ended = &mut relay => return ended,
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot listen for SIGINT")?,
    }
    info!("stopping");
    stop.send_replace(true);
    relay.await
}

/// Runs a relay with this configuration until `stopping` becomes true. The operator is shown what the journal holds.
pub async fn serve(config: &Config, journal: Journal, stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let clock = Clock::start();
    let started_at = clock.now();
    let mut random: StdRng = rand::make_rng();
    let users = Users::load(&config.users.file)?;
    if users.is_empty() {
        tracing::warn!("nobody can link yet: the users file has no user");
    }
    let (users_in, users_out) = watch::channel(Arc::new(users));
    tokio::spawn(users::watch(config.users.file.clone(), users_in));

    let Opened {
        folder,
        token_key,
        kept,
        writer,
    } = open_store(config, &mut random)?;
    let terminals = Listening::bind(config.server.listen, config.server.tls.as_ref())?;
    let operator = Listening::bind(config.server.admin_listen, None)?;
    let (listen, admin) = (terminals.address()?, operator.address()?);

    let (to_loop, from_gateway) = mpsc::channel(GATEWAY_QUEUE);
    let (readiness, readiness_out) = watch::channel(at_first(config, started_at));
    let authenticator = Authenticator::new(users_out, token_key);
    let (reports_in, reports) = mpsc::channel(REPORT_QUEUE);
    let mut metrics = Metrics::default();
    numbers::of_build(&mut metrics);
    numbers::of_store(&mut metrics, writer.counters());
    let Following { pbxs, ports, facts } = follow(config, clock, &kept, &reports_in, &mut metrics)?;
    let refusals = Arc::new(Refusals::new(clock));
    numbers::of_refusals(&mut metrics, Arc::clone(&refusals));
    let facts = Facts {
        clock,
        started_at,
        pbxs: facts,
        refusals: Arc::clone(&refusals),
        journal,
        metrics,
        hosts: config.server.admin_hosts.clone(),
    };
    let gateway = Gateway::new(
        to_loop.clone(),
        authenticator,
        settings(config, folder),
        ports,
        refusals,
        stopping.clone(),
    );
    let relay = Relay::new(rules(config), random.next_u64());
    let runtime = Runtime::new(clock, relay, pbxs, writer, &kept, readiness);

    tokio::spawn(gateway::serve_terminals(terminals, gateway));
    tokio::spawn(gateway::serve_admin(
        operator,
        to_loop,
        readiness_out,
        facts,
        stopping.clone(),
    ));
    info!(%listen, %admin, calls = kept.len(), "the relay is up");
    // A task like the sessions: where there are fewer cores than threads, what they say then reaches the loop
    // without the system switching threads for every few frames.
    let running = tokio::spawn(runtime.run(Queues {
        reports,
        gateway: from_gateway,
        stopping,
    }));
    let ended = running.await.context("the event loop panicked")?;
    tokio::time::sleep(GOODBYE).await;
    ended.map_err(anyhow::Error::from)
}

/// The store, and what it had.
struct Opened {
    folder: Folder,
    /// What tokens are sealed with.
    token_key: [u8; 32],
    /// The calls that an earlier process kept.
    kept: Vec<RestoredCall>,
    writer: Writer,
}

fn open_store(config: &Config, random: &mut StdRng) -> anyhow::Result<Opened> {
    let folder = Folder::open(&config.store.files).context("cannot use the folder of files")?;
    let mut store = SqliteStore::open(&config.store.sqlite, folder.clone())
        .with_context(|| format!("cannot use the store {}", config.store.sqlite.display()))?;
    let mut fresh = [0; 32];
    random.fill_bytes(&mut fresh);
    Ok(Opened {
        folder,
        token_key: store.token_key(fresh)?,
        kept: store.load()?,
        writer: Writer::start(store).context("cannot start the thread of the store")?,
    })
}

/// What belongs to the PBXs, by their names.
#[derive(Default)]
struct Following {
    /// What follows each.
    pbxs: BTreeMap<PbxName, Followed>,
    /// Where it is posted for those that post.
    ports: BTreeMap<PbxName, NotifyPort>,
    /// What the operator may know of each.
    facts: BTreeMap<PbxName, PbxFacts>,
}

/// Begins to listen to every PBX.
fn follow(
    config: &Config,
    clock: Clock,
    kept: &[RestoredCall],
    reports: &mpsc::Sender<PbxReport>,
    metrics: &mut Metrics,
) -> anyhow::Result<Following> {
    let mut following = Following::default();
    for pbx in &config.pbxs {
        let repairs = Arc::<Repairs>::default();
        let (tracker, renewal, facts) = match &pbx.kind {
            PbxKind::Ari(ari) => {
                let connector = ari::connector(pbx.name.clone(), ari.clone(), clock);
                let heard = Ear::over("ari", &ari.url, &connector);
                tokio::spawn(connector.run(reports.clone()));
                heard.shown(pbx, config, &repairs, metrics)?
            }
            PbxKind::Ami(ami) => {
                let connector = ami::connector(pbx.name.clone(), ami.clone(), clock);
                let heard = Ear::over("ami", &ami.url, &connector);
                tokio::spawn(connector.run(reports.clone()));
                heard.shown(pbx, config, &repairs, metrics)?
            }
            PbxKind::Both(ari, ami) => {
                let rest = ari::connector(pbx.name.clone(), ari.clone(), clock);
                let manager = ami::connector(pbx.name.clone(), ami.clone(), clock);
                let heard = Ear::over("ari", &ari.url, &rest).and(Ear::over("ami", &ami.url, &manager));
                let both = Both::new(rest, manager, clock);
                let heard = heard.renewed_by(both.renewal());
                numbers::of_disagreements(metrics, &pbx.name, both.disagreements());
                tokio::spawn(both.run(reports.clone()));
                heard.shown(pbx, config, &repairs, metrics)?
            }
            PbxKind::Notify(notify) => {
                let own = kept.iter().map(|call| &call.record);
                let own = own.filter(|record| record.pbx == pbx.name);
                let switchboard = Switchboard::new(rand::random(), own);
                let (connector, port) =
                    notify::Connector::new(pbx.name.clone(), &notify.token, switchboard, clock);
                following.ports.insert(pbx.name.clone(), port);
                tokio::spawn(connector.run(reports.clone()));
                // It says itself what happens: nothing has to be waited for.
                let tracker = Tracker::new(EndpointMap::default(), Patience::NONE);
                (tracker, None, numbers::facts_of_notify())
            }
        };
        let followed = Followed {
            tracker,
            renewal,
            repairs,
        };
        following.pbxs.insert(pbx.name.clone(), followed);
        following.facts.insert(pbx.name.clone(), facts);
    }
    Ok(following)
}

/// An Asterisk that is heard.
struct Ear {
    kind: &'static str,
    url: String,
    renewal: Renewal,
    interfaces: Vec<(&'static str, Arc<Counters>)>,
}

impl Ear {
    fn over<I: Interface>(kind: &'static str, url: &str, connector: &Connector<I>) -> Self {
        Self {
            kind,
            url: url.to_owned(),
            renewal: connector.renewal(),
            interfaces: vec![(kind, connector.counters())],
        }
    }

    /// Over this one and another one.
    fn and(mut self, other: Self) -> Self {
        self.interfaces.extend(other.interfaces);
        Self {
            kind: "ari+ami",
            url: format!("{}, {}", self.url, other.url),
            ..self
        }
    }

    /// It connects anew when asked by this.
    fn renewed_by(self, renewal: Renewal) -> Self {
        Self { renewal, ..self }
    }

    /// Shows its numbers to the operator, and makes the tracker that its reports are for.
    fn shown(
        self,
        pbx: &Pbx,
        config: &Config,
        repairs: &Arc<Repairs>,
        metrics: &mut Metrics,
    ) -> anyhow::Result<(Tracker, Option<Renewal>, PbxFacts)> {
        for (interface, counters) in &self.interfaces {
            numbers::of_connector(metrics, &pbx.name, interface, Arc::clone(counters));
        }
        numbers::of_repairs(metrics, &pbx.name, Arc::clone(repairs));
        let counters = self
            .interfaces
            .into_iter()
            .map(|(_, counters)| counters)
            .collect();
        let facts = numbers::facts_of_asterisk(self.kind, self.url, counters, Arc::clone(repairs));
        let endpoints = EndpointMap::new(&pbx.endpoints, &pbx.trunks)?;
        Ok((
            Tracker::new(endpoints, patience(config)),
            Some(self.renewal),
            facts,
        ))
    }
}

fn settings(config: &Config, folder: Folder) -> Settings {
    Settings {
        allowed_origins: config.server.allowed_origins.clone(),
        frame_bytes_max: Settings::frame_bytes_max(config.limits.body_bytes_max),
        connections_max: config.limits.connections_max,
        connections_per_address_max: config.limits.connections_per_address_max,
        file_bytes_max: config.limits.file_bytes_max,
        browser: BrowserSettings {
            save_copies: config.browser.save_copies,
            body_bytes_max: config.limits.body_bytes_max,
            file_bytes_max: config.limits.file_bytes_max,
        },
        folder,
    }
}

fn at_first(config: &Config, now: Moment) -> Readiness {
    let unknown = |name: &PbxName| (name.clone(), Health::wrong(now, "not connected yet"));
    Readiness {
        store: Health::well(now),
        pbxs: config.pbxs.iter().map(|pbx| unknown(&pbx.name)).collect(),
    }
}

fn patience(config: &Config) -> Patience {
    Patience {
        settle: config.call.settle,
        resume_delay: config.call.resume_delay,
        ..Patience::default()
    }
}

fn rules(config: &Config) -> Rules {
    Rules {
        linger: config.mailbox.linger,
        rows_max: config.mailbox.rows_max,
        bytes_max: config.mailbox.bytes_max,
        body_bytes_max: config.limits.body_bytes_max,
        sends_per_sec: config.limits.sends_per_sec,
        sends_burst: config.limits.sends_burst,
        links_per_phone_max: config.limits.links_per_phone_max,
        call_file_bytes_max: config.limits.file_bytes_max.saturating_mul(CALL_FILES),
    }
}
