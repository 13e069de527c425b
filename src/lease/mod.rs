//! The lease: of several daemons with the same manifests, the one that holds it acts.
//!
//! It is one object in S3, written on a condition, so that of two writers one is refused. The holder renews it well
//! within its time; the others watch its ETag, and take it when that has not changed for as long as the record says, by
//! their own monotonic clock. The holder counts from before its write was sent and stops [`MARGIN`] earlier than the
//! others begin. Right before each call that changes a service, the [`Fence`] is asked whether the lease outlasts it.
//!
//! What this cannot exclude: a process that is stopped for longer than the lease in the instant between the fence and the
//! sending of a call. ECS takes no fencing token. The successor describes a service again before it writes.

mod object;
mod observer;
mod record;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use self::observer::{Observer, Verdict};
use crate::{
    aws::{Aws, AwsError, Fence, OnlyIf, Put, S3Url},
    backoff,
};

/// How long after a renewal nobody else may take the lease.
const TTL: Duration = Duration::from_secs(15);
/// How much earlier the holder itself takes it for lost: for clocks that do not run at one speed.
const MARGIN: Duration = Duration::from_secs(2);
/// From one renewal to the next.
const RENEW: Duration = Duration::from_secs(4);
/// From a renewal that failed to the next try.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How often those who wait look. A lease that was let go is taken within this.
const POLL: Duration = Duration::from_secs(1);
/// The longest wait after failures: the lease is to be taken soon after S3 is back.
const CAP: Duration = Duration::from_secs(5);
/// How many looks must fail in a row until one that stands by says that the lease is away.
const BORNE: u32 = 3;

/// Where this process stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The lease has not been looked at yet.
    Unknown,
    /// It acts.
    Leading,
    /// Another one acts, by the name that it gave itself.
    Following(String),
    /// The lease cannot be read or written, for this reason: it does not act.
    Away(String),
}

/// The lease, and who wants it.
#[derive(Debug)]
pub struct Lease {
    aws: Aws,
    url: S3Url,
    me: String,
    fence: Fence,
    standing: watch::Sender<Standing>,
    /// How often this process has written the lease: no two of its writes have one ETag, which others go by.
    writes: AtomicU64,
}

/// Why a command does not have the lease.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// Somebody renews it.
    #[error("{0} holds the lease and renews it")]
    Held(String),
    /// S3 failed.
    #[error(transparent)]
    Failed(#[from] AwsError),
}

/// The lease as the holder knows it.
#[derive(Debug)]
struct Term {
    etag: String,
    /// When the last renewal was sent that is known to have been written.
    renewed: Instant,
    /// When the first one was sent whose reply did not come.
    unanswered: Option<Instant>,
}

impl Term {
    fn end(&self) -> Instant {
        self.renewed + TTL - MARGIN
    }
}

impl Lease {
    /// Nothing is asked yet. `fence` is opened while the lease is ours.
    pub fn new(aws: Aws, url: S3Url, fence: Fence) -> Arc<Self> {
        Arc::new(Self {
            aws,
            url,
            me: name(),
            fence,
            standing: watch::Sender::new(Standing::Unknown),
            writes: AtomicU64::new(0),
        })
    }

    /// Where it is.
    pub fn url(&self) -> &S3Url {
        &self.url
    }

    /// What this process calls itself in the lease.
    pub fn me(&self) -> &str {
        &self.me
    }

    /// Where this process stands, now and whenever that changes.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Takes the lease whenever it can be had, and keeps it, until `shutdown`. Then it is let go only if `is_clean` says
    /// that no write is under way any more.
    pub async fn keep(&self, shutdown: CancellationToken, is_clean: impl Fn() -> bool) {
        let mut mine = None;
        let _ = shutdown
            .run_until_cancelled(async {
                loop {
                    let term = mine.insert(self.wait().await);
                    self.hold(term).await;
                    mine = None;
                }
            })
            .await;
        self.fence.close();
        if let Some(term) = mine
            && is_clean()
        {
            self.release(&term).await;
        }
    }

    /// Does `work` while it holds the lease, then lets it go. Should the lease be lost, what `work` still wants to write is
    /// refused. A lease that nobody renews is waited for; `on_wait` is told whose it was.
    ///
    /// # Errors
    /// Somebody acts already, or S3 fails.
    pub async fn during<T>(
        &self,
        on_wait: impl Fn(&str),
        work: impl Future<Output = T>,
    ) -> Result<T, NotTaken> {
        let mut term = self.take(on_wait).await?;
        self.lead(&term);
        let mut work = std::pin::pin!(work);
        tokio::select! {
            done = &mut work => {
                self.fence.close();
                self.release(&term).await;
                Ok(done)
            }
            () = self.hold(&mut term) => Ok(work.await),
        }
    }

    async fn take(&self, on_wait: impl Fn(&str)) -> Result<Term, NotTaken> {
        let mut observer = Observer::default();
        let mut first: Option<Instant> = None;
        loop {
            let next = match self.try_to_take(&mut observer).await? {
                Ok(term) => return Ok(term),
                Err(Verdict::Held { by, until }) => {
                    if first.is_some_and(|first| until > first) {
                        return Err(NotTaken::Held(by));
                    }
                    if first.is_none() {
                        on_wait(&by);
                    }
                    first = Some(until);
                    until.min(Instant::now() + POLL)
                }
                Err(Verdict::Absent | Verdict::Free(_)) => Instant::now() + POLL,
            };
            sleep_until(next).await;
        }
    }

    /// Waits until the lease is ours.
    async fn wait(&self) -> Term {
        let mut observer = Observer::default();
        let mut failures = 0;
        loop {
            let next = match self.try_to_take(&mut observer).await {
                Ok(Ok(term)) => {
                    tracing::info!(lease = %self.url, me = self.me, "leading");
                    self.lead(&term);
                    return term;
                }
                Ok(Err(verdict)) => {
                    failures = 0;
                    self.follow(&verdict)
                }
                Err(error) => {
                    failures += 1;
                    // Who stands by looks once a second: one look that fails changes nothing.
                    if failures >= BORNE || !self.is_following() {
                        self.stand(Standing::Away(error.to_string()));
                    }
                    Instant::now() + POLL + backoff::delay(failures, fastrand::f64()).min(CAP)
                }
            };
            sleep_until(next).await;
        }
    }

    /// One look, and one try if the lease is free.
    async fn try_to_take(
        &self,
        observer: &mut Observer,
    ) -> Result<Result<Term, Verdict>, AwsError> {
        let found = self.read().await?;
        let verdict = observer.see(found, &self.me, Instant::now());
        let only_if = match &verdict {
            Verdict::Absent => OnlyIf::Absent,
            Verdict::Free(etag) => OnlyIf::Is(etag),
            Verdict::Held { .. } => return Ok(Err(verdict)),
        };
        let renewed = Instant::now();
        match self.write(Some(&self.me), only_if).await? {
            Put::Written(etag) => Ok(Ok(Term {
                etag,
                renewed,
                unanswered: None,
            })),
            Put::Refused => Ok(Err(verdict)),
        }
    }

    /// Renews until the lease is lost.
    async fn hold(&self, term: &mut Term) {
        let mut next = term.renewed + RENEW;
        loop {
            sleep_until(next.min(term.end())).await;
            if Instant::now() >= term.end() {
                break;
            }
            next = match self.renew(term).await {
                Ok(true) => {
                    self.lead(term);
                    (term.renewed + RENEW).max(Instant::now() + TRY_AGAIN)
                }
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(lease = %self.url, %error, "the lease was not renewed");
                    Instant::now() + TRY_AGAIN
                }
            };
        }
        self.fence.close();
        let lost = "it was not renewed in time, or is another's now";
        self.stand(Standing::Away(lost.to_owned()));
    }

    /// One renewal. `false` when the lease is somebody else's.
    async fn renew(&self, term: &mut Term) -> Result<bool, AwsError> {
        let sent = Instant::now();
        let written = self.write(Some(&self.me), OnlyIf::Is(&term.etag)).await;
        match written {
            Ok(Put::Written(etag)) => {
                *term = Term {
                    etag,
                    renewed: sent,
                    unanswered: None,
                };
                Ok(true)
            }
            // It may have been our own write whose reply was lost that is in the way.
            Ok(Put::Refused) => match self.read().await? {
                Some((etag, record)) if record.holder.as_deref() == Some(&self.me) => {
                    term.renewed = term.unanswered.take().unwrap_or(term.renewed);
                    term.etag = etag;
                    Ok(true)
                }
                Some(_) | None => Ok(false),
            },
            Err(error) => {
                term.unanswered.get_or_insert(sent);
                Err(error)
            }
        }
    }

    /// Lets the lease go, so that nobody has to wait for its end.
    async fn release(&self, term: &Term) {
        match self.try_to_release(term).await {
            Ok(()) => tracing::info!(lease = %self.url, "the lease is let go"),
            Err(error) => {
                tracing::warn!(lease = %self.url, %error, "the lease was not let go: it runs out");
            }
        }
    }

    async fn try_to_release(&self, term: &Term) -> Result<(), AwsError> {
        let written = self.write(None, OnlyIf::Is(&term.etag)).await?;
        // A renewal may have been under way when the end came.
        if written == Put::Refused
            && let Some((etag, record)) = self.read().await?
            && record.holder.as_deref() == Some(&self.me)
        {
            self.write(None, OnlyIf::Is(&etag)).await?;
        }
        Ok(())
    }

    fn lead(&self, term: &Term) {
        self.fence.open_until(term.end());
        self.stand(Standing::Leading);
    }

    /// Somebody else's, and when to look again.
    fn follow(&self, verdict: &Verdict) -> Instant {
        let soon = Instant::now() + POLL;
        match verdict {
            Verdict::Held { by, until } => {
                self.stand(Standing::Following(by.clone()));
                soon.min(*until)
            }
            // Whoever was quicker shows with the next look.
            Verdict::Absent | Verdict::Free(_) => soon,
        }
    }

    fn is_following(&self) -> bool {
        matches!(*self.standing.borrow(), Standing::Following(_))
    }

    fn stand(&self, now: Standing) {
        self.standing.send_if_modified(|standing| {
            let is_new = *standing != now;
            match (&now, &*standing) {
                (Standing::Following(leader), _) if is_new => {
                    tracing::info!(lease = %self.url, leader, "standing by");
                }
                // Said once, however often its words change.
                (
                    Standing::Away(why),
                    Standing::Unknown | Standing::Leading | Standing::Following(_),
                ) => {
                    tracing::error!(lease = %self.url, "no lease, so nothing is written: {why}");
                }
                _ => {}
            }
            *standing = now;
            is_new
        });
    }
}

/// A name that tells people which process it is, and that no other process has.
fn name() -> String {
    let host = std::env::var("HOSTNAME")
        .or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"))
        .unwrap_or_default();
    let host: String = host
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
        .take(64)
        .collect();
    let host = if host.is_empty() { "evenkeel" } else { &host };
    format!("{host}/{}-{:08x}", std::process::id(), fastrand::u32(..))
}
