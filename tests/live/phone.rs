//! Scripted SIP phones: what a person does with the desk phone, as one `await` a step.
//!
//! ```ignore
//! let alice = Phone::register(&pbx, "1001").await?;
//! let bob = Phone::register(&pbx, "1002").await?;
//!
//! let call = alice.dial("1002").await?;
//! let bobs = bob.rings().await?.answer().await?;
//! call.answered().await?;
//! call.talks_with(&bobs).await?;
//!
//! call.hold().await?;
//! call.resume().await?;
//! call.transfer_blind("1003").await?.succeeds().await?;
//! bobs.hang_up().await?;
//! ```
//!
//! A phone has its own UDP socket, so any number of them live in one process, two of them under one number,
//! and each has any number of calls at once. Every wait ends: with what it waited for, with an error as soon
//! as that can no longer come, or with an error when the phone's patience is over. The error names the phone,
//! the call, what was awaited and everything that was seen instead.
//!
//! Nothing is said but on request: [`Call::talks_with`] shows that two phones hear each other. Hold is told by
//! the direction attribute alone. The phones answer what a PBX asks of them (re-INVITE, UPDATE, OPTIONS, NOTIFY); they are not asked to take
//! a REFER or an INVITE with Replaces.
//!
//! All phones run on a runtime of their own, whose threads outlive any test: a phone that goes out of scope,
//! in a test that fails too, still hangs up and takes its registration back, and leaves no contact behind to
//! swallow the next test's call.

// Named by path, so that a program outside `tests/live` can take this file in by path as well.
#[path = "phone/audio.rs"]
mod audio;
#[path = "phone/call.rs"]
mod call;
#[path = "phone/leg.rs"]
mod leg;
#[path = "phone/sdp.rs"]
mod sdp;

use std::collections::HashMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rsipstack::EndpointBuilder;
use rsipstack::dialog::authenticate::Credential;
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::dialog::invitation::InviteOption;
use rsipstack::dialog::registration::Registration;
use rsipstack::platform::CancellationToken;
use rsipstack::sip::headers::ToTypedHeader as _;
use rsipstack::sip::{Header, HeadersExt as _, Method, Port, Scheme, StatusCode, Uri, typed};
use rsipstack::transaction::Transaction;
use rsipstack::transport::TransportLayer;
use rsipstack::transport::udp::UdpConnection;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::audio::Audio;
pub(crate) use self::call::{Call, IncomingCall};
use self::leg::{Leg, Stage};
use self::sdp::Media;

/// How long a phone waits for anything, unless its [`Account`] says otherwise.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a phone that goes out of scope may take to hang up and unregister.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a registration holds without being renewed: longer than any test or demo.
const REGISTRATION_SECS: u32 = 3600;

/// More calls than a script would ever leave ringing unheard.
const INCOMING_QUEUE: usize = 32;

/// One thread, so that what a phone does at once is done at once.
static STACK: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("sip-phones")
        .enable_all()
        .build()
        .expect("a thread for the phones")
});

/// The SIP side of a PBX, over UDP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SipServer {
    /// Where it takes registrations and calls.
    pub(crate) address: SocketAddr,
}

impl SipServer {
    /// The address of `user` at this server; without a user, of the server itself.
    fn uri(self, user: Option<&str>) -> Uri {
        sip_uri(user, self.address)
    }
}

/// Who a phone is to the PBX.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// The user it registers as, which is also the number it calls from.
    pub(crate) user: String,
    /// The digest password.
    pub(crate) password: String,
    /// How long each wait of this phone and its calls may last.
    pub(crate) patience: Duration,
}

impl Account {
    /// The account of `user` with the password that the test PBX gives it by convention, `phone-<user>`.
    pub(crate) fn of(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            password: format!("phone-{user}"),
            patience: PATIENCE,
        }
    }

    fn credential(&self) -> Credential {
        Credential {
            username: self.user.clone(),
            password: self.password.clone(),
            ..Credential::default()
        }
    }
}

/// The number, and perhaps the name, that a call comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The user part of the `From` address.
    pub(crate) number: String,
    /// The display name.
    pub(crate) name: Option<String>,
}

impl Caller {
    /// A caller without a name.
    pub(crate) fn number(number: &str) -> Self {
        Self {
            number: number.to_owned(),
            name: None,
        }
    }

    /// A caller with number and name.
    pub(crate) fn named(number: &str, name: &str) -> Self {
        Self {
            number: number.to_owned(),
            name: Some(name.to_owned()),
        }
    }
}

/// A SIP phone, or whatever else registers and makes calls: a trunk's far end is one with many numbers.
pub(crate) struct Phone {
    line: Arc<Line>,
    incoming: tokio::sync::Mutex<mpsc::Receiver<IncomingCall>>,
}

impl Phone {
    /// Switches a phone on and registers it, with the password by convention ([`Account::of`]).
    pub(crate) async fn register(pbx: &SipServer, number: &str) -> Result<Self> {
        Self::register_with(pbx, Account::of(number)).await
    }

    /// Switches a phone on and registers it.
    pub(crate) async fn register_with(pbx: &SipServer, account: Account) -> Result<Self> {
        let (incoming_sender, incoming) = mpsc::channel(INCOMING_QUEUE);
        let line = on_stack(Line::open(*pbx, account, incoming_sender)).await?;
        let phone = Self {
            line: Arc::clone(&line),
            incoming: tokio::sync::Mutex::new(incoming),
        };
        on_stack(async move { line.register(REGISTRATION_SECS).await }).await?;
        Ok(phone)
    }

    /// Calls `number`. Returns at the first sign of it: the PBX is trying, it rings, is answered or refused.
    pub(crate) async fn dial(&self, number: &str) -> Result<Call> {
        self.dial_as(&Caller::number(&self.line.account.user), number)
            .await
    }

    /// Calls `number` under another number and name than the phone's own, as a trunk does.
    pub(crate) async fn dial_as(&self, caller: &Caller, number: &str) -> Result<Call> {
        let (line, caller, number) = (Arc::clone(&self.line), caller.clone(), number.to_owned());
        let leg = on_stack(async move { line.invite(&caller, &number).await }).await?;
        leg.starts().await?;
        Ok(Call::new(leg))
    }

    /// Waits for a call to come in. The phone has told the caller that it rings, and goes on ringing until the
    /// script answers, refuses, or ends. A call that was gone before anyone asked for it is not reported.
    pub(crate) async fn rings(&self) -> Result<IncomingCall> {
        let patience = self.line.account.patience;
        let next = async {
            let mut incoming = self.incoming.lock().await;
            loop {
                let call = incoming.recv().await?;
                if call.still_rings() {
                    return Some(call);
                }
            }
        };
        let Ok(call) = timeout(patience, next).await else {
            let calls = self.line.calls();
            bail!(
                "{}: waited {patience:?} for a call to come in; its calls: {calls:?}",
                self.line
            );
        };
        call.with_context(|| format!("{}: is switched off", self.line))
    }

    /// Hangs up every call, takes the registration back and switches the phone off. Going out of scope does the
    /// same without telling whether it worked.
    pub(crate) async fn unregister(self) -> Result<()> {
        let line = Arc::clone(&self.line);
        on_stack(async move { line.close().await }).await
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        if self.line.off.is_cancelled() {
            return;
        }
        // The stack has its own threads, so this one may wait for it.
        let (done, closed) = std::sync::mpsc::sync_channel(1);
        let line = Arc::clone(&self.line);
        STACK.spawn(async move {
            let outcome = line.close().await;
            done.send(outcome).ok();
        });
        match closed.recv_timeout(FAREWELL) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(phone = %self.line, %error, "phone left its registration behind");
            }
            Err(_) => tracing::warn!(phone = %self.line, "phone could not say goodbye"),
        }
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.line, self.line.calls())
    }
}

/// What a phone and its calls share: the socket and the SIP stack above it, the account, and the calls by their
/// Call-ID. Ended calls stay, for what the PBX still says about them.
struct Line {
    pbx: SipServer,
    account: Account,
    contact: Uri,
    dialogs: Arc<DialogLayer>,
    registration: tokio::sync::Mutex<Registration>,
    legs: Mutex<HashMap<String, Arc<Leg>>>,
    incoming: mpsc::Sender<IncomingCall>,
    off: CancellationToken,
}

impl Line {
    /// Binds the SIP socket and starts to serve; to be called on the stack's runtime.
    async fn open(
        pbx: SipServer,
        account: Account,
        incoming: mpsc::Sender<IncomingCall>,
    ) -> Result<Arc<Self>> {
        let off = CancellationToken::new();
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let udp = UdpConnection::create_connection(here, None, Some(off.child_token())).await?;
        let port = udp
            .get_addr()
            .addr
            .port
            .as_ref()
            .map(Port::value)
            .context("a SIP port")?;
        let contact = sip_uri(Some(&account.user), (Ipv4Addr::LOCALHOST, port).into());

        let transport = TransportLayer::new(off.clone());
        transport.add_transport(udp.into());
        let endpoint = EndpointBuilder::new()
            .with_user_agent("callrelay-scripted-phone")
            .with_cancel_token(off.clone())
            .with_transport_layer(transport)
            .build();
        let mut requests = endpoint.incoming_transactions()?;

        let mut registration = Registration::new(Arc::clone(&endpoint.inner), Some(account.credential()));
        registration.contact = Some(contact_of(&contact));

        let line = Arc::new(Self {
            pbx,
            account,
            contact,
            dialogs: Arc::new(DialogLayer::new(Arc::clone(&endpoint.inner))),
            registration: tokio::sync::Mutex::new(registration),
            legs: Mutex::default(),
            incoming,
            off: off.clone(),
        });
        tokio::spawn(async move { endpoint.serve().await });
        let serving = Arc::clone(&line);
        tokio::spawn(off.run_until_cancelled_owned(async move {
            while let Some(request) = requests.recv().await {
                let leg = serving.leg_of(&request);
                if let Some(leg) = &leg {
                    leg.notice(&request.original);
                }
                tokio::spawn(Arc::clone(&serving).take(leg, request));
            }
        }));
        Ok(line)
    }

    async fn register(&self, expires_secs: u32) -> Result<()> {
        let patience = self.account.patience;
        let mut registration = self.registration.lock().await;
        let answer = timeout(
            patience,
            registration.register(self.pbx.uri(None), Some(expires_secs)),
        )
        .await;
        let pbx = self.pbx.address;
        let Ok(answer) = answer else {
            bail!("{self}: waited {patience:?} for {pbx} to answer its REGISTER, saw nothing");
        };
        let status = answer
            .with_context(|| format!("{self}: sending REGISTER to {pbx}"))?
            .status_code;
        if status != StatusCode::OK {
            bail!("{self}: {pbx} refused its REGISTER with {status}");
        }
        tracing::debug!(phone = %self, expires_secs, "registered");
        Ok(())
    }

    /// Ends every call and the registration, and stops serving.
    async fn close(&self) -> Result<()> {
        let legs: Vec<_> = locked(&self.legs).values().cloned().collect();
        for leg in legs {
            if let Err(error) = leg.end().await {
                tracing::debug!(phone = %self, %error, "call left behind");
            }
        }
        let registered = self.registration.lock().await.granted_expires.is_some();
        let outcome = if registered {
            self.register(0).await
        } else {
            Ok(())
        };
        self.off.cancel();
        // Legs know their line, so the line has to forget them.
        locked(&self.legs).clear();
        outcome
    }

    /// Sends an INVITE; to be called on the stack's runtime.
    async fn invite(self: Arc<Self>, caller: &Caller, number: &str) -> Result<Arc<Leg>> {
        let audio = Audio::bind().await?;
        let mut media = Media::at(audio.port()?);
        let option = InviteOption {
            caller_display_name: caller.name.clone(),
            caller: self.pbx.uri(Some(&caller.number)),
            callee: self.pbx.uri(Some(number)),
            contact: self.contact.clone(),
            credential: Some(self.account.credential()),
            offer: Some(media.offer().into_bytes()),
            headers: Some(abilities()),
            ..InviteOption::default()
        };
        let (state_sender, states) = self.dialogs.new_dialog_state_channel();
        let (dialog, outcome) = self
            .dialogs
            .do_invite_async(option, state_sender)
            .with_context(|| format!("{self}: sending INVITE for {number}"))?;
        let leg = self.keep(Leg::new(
            Arc::clone(&self),
            dialog,
            media,
            audio,
            number,
            Stage::Dialing,
        ));
        tokio::spawn(Arc::clone(&leg).follow(states));
        let dialled = Arc::clone(&leg);
        tokio::spawn(async move { dialled.sent(outcome.await) });
        Ok(leg)
    }

    /// Serves one request that opened a transaction with this phone.
    async fn take(self: Arc<Self>, leg: Option<Arc<Leg>>, mut request: Transaction) {
        let method = request.original.method;
        tracing::debug!(phone = %self, %method, "request");
        let outcome = match leg {
            Some(leg) => leg.take(&mut request).await,
            None if method == Method::Invite => self.ring(&mut request).await,
            None if matches!(
                method,
                Method::Options | Method::Notify | Method::Message | Method::Info
            ) =>
            {
                request
                    .reply_with(StatusCode::OK, abilities(), None)
                    .await
                    .map_err(Into::into)
            }
            None => request
                .reply(StatusCode::CallTransactionDoesNotExist)
                .await
                .map_err(Into::into),
        };
        if let Err(error) = outcome {
            tracing::warn!(phone = %self, %method, %error, "request not served");
        }
    }

    fn leg_of(&self, request: &Transaction) -> Option<Arc<Leg>> {
        let call_id = request.original.call_id_header().ok()?;
        locked(&self.legs).get(call_id.value()).cloned()
    }

    /// Lets a new call ring, and stays with its INVITE until that has its ACK or is cancelled.
    async fn ring(self: &Arc<Self>, invite: &mut Transaction) -> Result<()> {
        let from = invite.original.from_header()?.typed()?;
        let caller = Caller {
            number: from.uri.user().unwrap_or_default().to_owned(),
            name: from.display_name.map(|name| name.trim_matches('"').to_owned()),
        };
        let dialled = invite.original.uri.user().unwrap_or_default().to_owned();

        let (state_sender, states) = self.dialogs.new_dialog_state_channel();
        let mut dialog = self.dialogs.get_or_create_server_invite(
            invite,
            state_sender,
            Some(self.account.credential()),
            Some(self.contact.clone()),
        )?;
        let audio = Audio::bind().await?;
        audio.follow(&invite.original.body);
        let media = Media::at(audio.port()?);
        let peer = &caller.number;
        let leg = self.keep(Leg::new(
            Arc::clone(self),
            dialog.clone(),
            media,
            audio,
            peer,
            Stage::Ringing,
        ));
        tokio::spawn(Arc::clone(&leg).follow(states));
        dialog.ringing(None, None)?;
        if self
            .incoming
            .try_send(IncomingCall::new(leg, caller, dialled))
            .is_err()
        {
            dialog.reject(Some(StatusCode::BusyHere), None)?;
        }
        Ok(dialog.handle(invite).await?)
    }

    fn keep(&self, leg: Leg) -> Arc<Leg> {
        let leg = Arc::new(leg);
        locked(&self.legs).insert(leg.dialog_id().call_id, Arc::clone(&leg));
        tokio::spawn(
            self.off
                .clone()
                .run_until_cancelled_owned(Arc::clone(&leg).listen()),
        );
        leg
    }

    fn calls(&self) -> Vec<Arc<Leg>> {
        locked(&self.legs).values().cloned().collect()
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "phone {} at {}",
            self.account.user, self.contact.host_with_port
        )
    }
}

/// Runs `task` where the phones' sockets and timers live, so that it goes on when the script stops waiting.
async fn on_stack<T: Send + 'static>(task: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    STACK.spawn(task).await.context("the SIP stack panicked")?
}

/// The headers that tell the other side what a phone can do.
fn abilities() -> Vec<Header> {
    vec![
        Header::Allow("INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, REFER, UPDATE, INFO, MESSAGE".into()),
        Header::Supported("replaces".into()),
    ]
}

fn contact_of(uri: &Uri) -> typed::Contact {
    typed::Contact {
        display_name: None,
        uri: uri.clone(),
        params: Vec::new(),
    }
}

fn sip_uri(user: Option<&str>, address: SocketAddr) -> Uri {
    Uri {
        scheme: Some(Scheme::Sip),
        auth: user.map(Into::into),
        host_with_port: address.into(),
        params: Vec::new(),
        headers: Vec::new(),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
