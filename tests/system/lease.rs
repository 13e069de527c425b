//! Two daemons with one lease: one acts, whatever happens to it, to the other, or to the lease.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    bucket::{Bucket, Keeper, LEASE, manifest},
    daemon::{Daemon, until, within},
    world::DAEMON,
};

/// The other daemon's access key.
const OTHER: &str = "other-daemon";
/// Within this the lease of a daemon that was killed is another's.
const TAKEOVER: Duration = Duration::from_secs(20);
/// Within this the lease of a daemon that has ended in order is another's.
const HANDOVER: Duration = Duration::from_secs(2);

async fn is_leading(daemon: &Daemon) -> Option<bool> {
    daemon.json("/api/v1/leader").await?["leading"].as_bool()
}

async fn leads(daemon: &Daemon, time: Duration) {
    within(time, "it leads", async || {
        is_leading(daemon).await?.then_some(())
    })
    .await;
    assert!(metric(daemon).await.contains("\nevenkeel_leader 1\n"));
}

async fn follows(daemon: &Daemon) {
    until("it stands by", async || {
        let page = daemon.json("/api/v1/leader").await?;
        (page["leading"] == false && page["leader"].is_string()).then_some(())
    })
    .await;
    let (is_ready, text) = daemon.page("/readyz").await.unwrap();
    assert!(is_ready && text.starts_with("standing by: "), "{text}");
    assert!(metric(daemon).await.contains("\nevenkeel_leader 0\n"));
}

async fn metric(daemon: &Daemon) -> String {
    daemon.page("/metrics").await.unwrap().1
}

async fn one_acts_and_the_other_takes_over(keeper: Keeper) {
    let bucket = Bucket::start(keeper).await;
    bucket.release("1").await;
    let first = bucket.daemon(DAEMON).await;
    leads(&first, TAKEOVER).await;
    let second = bucket.daemon(OTHER).await;
    follows(&second).await;
    bucket.until_released("1").await;
    assert_eq!(bucket.writes(OTHER).await, 0);

    // Killed: nobody lets the lease go.
    drop(first);
    leads(&second, TAKEOVER).await;
    bucket.release("2").await;
    bucket.until_released("2").await;
    assert!(bucket.writes(OTHER).await > 0);

    // Told to end: it lets go.
    let first = bucket.daemon(DAEMON).await;
    follows(&first).await;
    second.stop().await;
    leads(&first, HANDOVER).await;
    let before = bucket.writes(OTHER).await;
    bucket.release("3").await;
    bucket.until_released("3").await;
    assert_eq!(bucket.writes(OTHER).await, before);
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_acts_and_the_other_takes_over_on_the_emulators_s3() {
    one_acts_and_the_other_takes_over(Keeper::Emulator).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_acts_and_the_other_takes_over_on_motos_s3() {
    one_acts_and_the_other_takes_over(Keeper::Moto).await;
}

/// A leader that stood still and goes on has lost its lease, and writes nothing until it has it again.
async fn a_leader_that_was_paused_writes_nothing(keeper: Keeper) {
    let bucket = Bucket::start(keeper).await;
    bucket.release("1").await;
    let paused = bucket.daemon(DAEMON).await;
    leads(&paused, TAKEOVER).await;
    bucket.until_released("1").await;
    paused.until_synced().await;
    let successor = bucket.daemon(OTHER).await;
    follows(&successor).await;

    paused.signal(Signal::SIGSTOP);
    leads(&successor, TAKEOVER).await;
    bucket.release("2").await;
    bucket.until_released("2").await;
    successor.until_synced().await;
    // Nobody is left who acts, and there is something to be repaired: the one that goes on wants to.
    drop(successor);
    let before = bucket.writes(DAEMON).await;
    bucket.drift().await;
    paused.signal(Signal::SIGCONT);

    let mut seen_waiting = false;
    until(
        "it knows that it has lost the lease, and leads again",
        async || {
            // In this order: what it had written by then, it had written without.
            let writes = bucket.writes(DAEMON).await;
            let leads = is_leading(&paused).await?;
            // Right after it goes on it does not know yet.
            if leads && seen_waiting {
                return Some(());
            }
            seen_waiting |= !leads;
            assert_eq!(writes, before, "it wrote without the lease");
            None
        },
    )
    .await;
    until("it repairs, now that it may", async || {
        (!bucket.is_drifted().await).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_paused_writes_nothing_on_the_emulators_s3() {
    a_leader_that_was_paused_writes_nothing(Keeper::Emulator).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_paused_writes_nothing_on_motos_s3() {
    a_leader_that_was_paused_writes_nothing(Keeper::Moto).await;
}

/// No lease, no writes; and nothing is forgotten.
async fn without_the_store_nothing_is_written(keeper: Keeper) {
    let bucket = Bucket::start(keeper).await;
    bucket.release("1").await;
    let daemon = bucket.daemon(DAEMON).await;
    leads(&daemon, TAKEOVER).await;
    bucket.until_released("1").await;
    daemon.until_synced().await;

    let faults = format!("{}/_emulator/faults", bucket.cloud.url());
    match &bucket.moto {
        Some(moto) => moto.signal(Signal::SIGSTOP),
        None => {
            let all =
                json!({"rules": [{"service": "s3", "effect": {"serverError": {"status": 503}}}]});
            bucket.cloud.post(&faults, &all).await;
        }
    }
    until("it says that it has no lease", async || {
        let (is_ready, why) = daemon.page("/readyz").await?;
        (!is_ready && why.starts_with("no lease: ") && why.contains("s3")).then_some(())
    })
    .await;
    let before = bucket.writes(DAEMON).await;
    bucket.drift().await;
    // It would have been repaired three times over.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(bucket.writes(DAEMON).await, before);
    assert!(bucket.is_drifted().await);

    match &bucket.moto {
        Some(moto) => moto.signal(Signal::SIGCONT),
        None => bucket.cloud.post(&faults, &json!({})).await,
    }
    until("it repairs when the store is back", async || {
        (!bucket.is_drifted().await).then_some(())
    })
    .await;
    assert_eq!(is_leading(&daemon).await, Some(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_store_nothing_is_written_on_the_emulators_s3() {
    without_the_store_nothing_is_written(Keeper::Emulator).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_store_nothing_is_written_on_motos_s3() {
    without_the_store_nothing_is_written(Keeper::Moto).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apply_takes_the_lease_and_is_refused_while_a_daemon_has_it() {
    let bucket = Bucket::start(Keeper::Moto).await;
    let directory = bucket.directory("by-hand", &[("web.yaml", &manifest("web", "1"))]);
    let directory = directory.to_str().unwrap();
    let arguments = ["apply", "--manifests", directory, "--lease", LEASE];
    let applied = bucket.evenkeel(&arguments).await;
    assert!(applied.status.success(), "{applied:?}");
    bucket.until_released("1").await;

    // It has let go: nobody waits.
    bucket.release("1").await;
    let daemon = bucket.daemon(DAEMON).await;
    leads(&daemon, HANDOVER).await;
    let before = bucket.writes("by-hand").await;
    let refused = bucket.evenkeel(&arguments).await;
    assert_eq!(refused.status.code(), Some(5), "{refused:?}");
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(
        why.contains("holds the lease") && why.contains("evenkeel push"),
        "{why}"
    );
    assert_eq!(bucket.writes("by-hand").await, before);
}

/// How often a daemon has written the lease, and been answered so.
async fn renewals(bucket: &Bucket, code: &str) -> usize {
    let calls = bucket.calls(DAEMON).await.into_iter();
    calls
        .filter(|call| call["operation"] == "PutObject" && call["code"] == code)
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_never_lead_also_where_one_loses_the_lease_and_has_it_again() {
    let bucket = Bucket::start(Keeper::Emulator).await;
    bucket.release("1").await;
    let first = bucket.daemon(DAEMON).await;
    leads(&first, TAKEOVER).await;
    let second = bucket.daemon(OTHER).await;
    follows(&second).await;

    // The first cannot renew what it has, and takes it again as soon as it has lost it. The second has seen nothing new for as
    // long, and would take it now.
    let faults = format!("{}/_emulator/faults", bucket.cloud.url());
    let refused = json!({"rules": [{"service": "s3", "operation": "PutObject", "caller": DAEMON, "effect": {"serverError": {"status": 503}}}]});
    bucket.cloud.post(&faults, &refused).await;
    within(TAKEOVER, "it has lost the lease", async || {
        (!is_leading(&first).await?).then_some(())
    })
    .await;
    bucket.cloud.post(&faults, &json!({})).await;

    let leaders = async || (is_leading(&first).await, is_leading(&second).await);
    let before = renewals(&bucket, "OK").await;
    until("the lease is held for a while again", async || {
        let now = leaders().await;
        assert_ne!(now, (Some(true), Some(true)), "two lead");
        let is_kept = renewals(&bucket, "OK").await >= before + 4;
        (is_kept || now.1 == Some(true)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_whose_reply_is_lost_loses_no_lease() {
    let bucket = Bucket::start(Keeper::Emulator).await;
    bucket.release("1").await;
    let daemon = bucket.daemon(DAEMON).await;
    leads(&daemon, TAKEOVER).await;
    let faults = format!("{}/_emulator/faults", bucket.cloud.url());
    let lost = json!({"rules": [{"service": "s3", "operation": "PutObject", "times": 1, "effect": "replyLost"}]});
    bucket.cloud.post(&faults, &lost).await;
    // The next one meets what the lost one has written.
    until("it was refused", async || {
        (renewals(&bucket, "PreconditionFailed").await > 0).then_some(())
    })
    .await;
    let before = renewals(&bucket, "OK").await;
    until("it renews as before", async || {
        assert_eq!(is_leading(&daemon).await, Some(true));
        (renewals(&bucket, "OK").await >= before + 2).then_some(())
    })
    .await;
    let log = daemon.log();
    assert!(log.iter().all(|line| line["level"] != "ERROR"), "{log:#?}");
    daemon.stop().await;
}
