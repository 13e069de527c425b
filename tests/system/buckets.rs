//! Manifests in S3: pushed, read, and as safe as in a directory.

use serde_json::{Value, json};

use crate::{
    bucket::{Bucket, Keeper, MANIFESTS, manifest},
    daemon::{Daemon, until},
    world::DAEMON,
};

/// What a command has said on stderr.
fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn errors(daemon: &Daemon) -> Option<String> {
    Some(daemon.json("/api/v1/manifests").await?["errors"].to_string())
}

async fn phase_of(daemon: &Daemon, name: &str) -> Option<String> {
    let services = daemon.json("/api/v1/services").await?;
    let mut services = services.as_array()?.iter();
    let service = services.find(|service| service["name"] == name)?;
    Some(service["phase"].as_str()?.to_owned())
}

/// Pushes, is read, changes, and what is wrong changes nothing.
async fn what_is_pushed_is_read(keeper: Keeper) {
    let bucket = Bucket::start(keeper).await;
    let web = manifest("web", "${values.release}");
    let files = [
        ("web.yaml", web.as_str()),
        ("values.yaml", "release: one\n"),
    ];
    let directory = bucket.directory("files", &files);
    let push = ["push", directory.to_str().unwrap(), MANIFESTS];
    let dry = bucket.evenkeel(&[&push[..], &["--dry-run"]].concat()).await;
    let shown = String::from_utf8(dry.stdout).unwrap();
    assert!(
        shown.contains("+ web.yaml\n") && shown.contains("2 would be new"),
        "{shown}"
    );
    let listed = "say(s3.list_objects_v2(Bucket='evenkeel')['KeyCount'])";
    assert_eq!(bucket.s3(listed).await, 0);

    let daemon = bucket.daemon_with(DAEMON, &[]).await;
    let pushed = bucket
        .evenkeel(&[&push[..], &["-o", "json"]].concat())
        .await;
    assert!(pushed.status.success(), "{pushed:?}");
    let changes: Value = serde_json::from_slice(&pushed.stdout).unwrap();
    assert_eq!(changes[0]["name"], "values.yaml");
    assert_eq!(changes[1]["change"], "new");
    bucket.until_released("one").await;

    // The other environment's values, and what changes is shown.
    let other = bucket.directory("other", &[("prod.yaml", "release: two\n")]);
    let other = other.join("prod.yaml");
    let with_values = [&push[..], &["--values", other.to_str().unwrap()]].concat();
    let pushed = bucket.evenkeel(&with_values).await;
    let shown = String::from_utf8(pushed.stdout).unwrap();
    for line in [
        "~ values.yaml",
        "    -release: one",
        "    +release: two",
        "1 unchanged.",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    bucket.until_released("two").await;

    // What is wrong is not uploaded, and what would break another manifest there neither.
    let bad = web.replace("desiredCount", "desiredCuont");
    let wrong = bucket.directory(
        "wrong",
        &[("web.yaml", &bad), ("values.yaml", "release: 3\n")],
    );
    let refused = bucket
        .evenkeel(&["push", wrong.to_str().unwrap(), MANIFESTS])
        .await;
    assert_eq!(refused.status.code(), Some(65), "{refused:?}");
    assert!(
        said(&refused).contains("did you mean `desiredCount`?"),
        "{refused:?}"
    );
    let renamed = bucket.directory("renamed", &[("www.yaml", &manifest("web", "4"))]);
    let renamed = ["push", renamed.to_str().unwrap(), MANIFESTS];
    let refused = bucket.evenkeel(&renamed).await;
    assert_eq!(refused.status.code(), Some(65), "{refused:?}");
    assert!(said(&refused).contains("also used by"), "{refused:?}");
    let pushed = bucket
        .evenkeel(&[&renamed[..], &["--delete"]].concat())
        .await;
    assert!(pushed.status.success(), "{pushed:?}");
    bucket.until_released("4").await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_pushed_is_read_on_the_emulators_s3() {
    what_is_pushed_is_read(Keeper::Emulator).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_pushed_is_read_on_motos_s3() {
    what_is_pushed_is_read(Keeper::Moto).await;
}

/// As for a directory: an emptied or a shrunken set changes nothing, and what is wrong isolates itself.
async fn a_bucket_is_as_safe_as_a_directory(keeper: Keeper) {
    let bucket = Bucket::start(keeper).await;
    bucket.release("1").await;
    let daemon = bucket.daemon_with(DAEMON, &[]).await;
    bucket.until_released("1").await;
    daemon.until_synced().await;

    // Nothing there is a way out of the prefix, or more than there is room for.
    bucket
        .s3("put('big.yaml', '#' * (1024 * 1024 + 1))
put('a\\\\web.yaml', 'kind: Service')
put('below/other.yaml', 'kind: Service')
put('notes.txt', 'not a manifest')")
        .await;
    let told = until("both are named", async || {
        let told = errors(&daemon).await?;
        (told.contains("big.yaml") && told.contains("web.yaml")).then_some(told)
    })
    .await;
    assert!(told.contains("1048577 bytes, more than 1048576"), "{told}");
    assert!(told.contains("has a name that is refused"), "{told}");
    assert!(!told.contains("below") && !told.contains("notes"), "{told}");
    assert_eq!(phase_of(&daemon, "web").await.as_deref(), Some("Synced"));

    // Emptied: the last good one stays, and is still repaired.
    bucket
        .s3(
            "for one in s3.list_objects_v2(Bucket='evenkeel')['Contents']:
    s3.delete_object(Bucket='evenkeel', Key=one['Key'])",
        )
        .await;
    until("it says that they are gone", async || {
        let (is_ready, why) = daemon.page("/readyz").await?;
        (!is_ready && why.contains("there are no manifests any more")).then_some(())
    })
    .await;
    bucket.drift().await;
    until("what is in force is repaired", async || {
        (!bucket.is_drifted().await).then_some(())
    })
    .await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_is_as_safe_as_a_directory_on_the_emulators_s3() {
    a_bucket_is_as_safe_as_a_directory(Keeper::Emulator).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_is_as_safe_as_a_directory_on_motos_s3() {
    a_bucket_is_as_safe_as_a_directory(Keeper::Moto).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_is_one_listing_and_fetches_what_has_changed() {
    let bucket = Bucket::start(Keeper::Emulator).await;
    bucket.release("1").await;
    let daemon = bucket.daemon_with(DAEMON, &[]).await;
    bucket.until_released("1").await;
    let count = async |operation: &str| {
        let calls = bucket.calls(DAEMON).await;
        calls
            .iter()
            .filter(|call| call["operation"] == operation)
            .count()
    };
    let listings = count("ListObjectsV2").await;
    until("it polls", async || {
        (count("ListObjectsV2").await >= listings + 2).then_some(())
    })
    .await;
    assert_eq!(count("GetObject").await, 1, "nothing has changed");
    bucket.release("2").await;
    bucket.until_released("2").await;
    assert_eq!(count("GetObject").await, 2);
    daemon.stop().await;
}

/// Waits until the daemon is not ready for this reason, and checks that its log has it, too.
async fn until_not_ready(daemon: &Daemon, code: &str, help: &str) {
    let why = until(code, async || {
        let (is_ready, why) = daemon.page("/readyz").await?;
        (!is_ready && why.contains(code)).then_some(why)
    })
    .await;
    assert!(why.contains(MANIFESTS) && why.contains(help), "{why}");
    let logged = daemon.log();
    let mut errors = logged.iter().filter(|line| line["level"] == "ERROR");
    assert!(errors.any(|line| line["message"].to_string().contains(help)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_region_and_expired_credentials_are_named_with_what_to_do() {
    let bucket = Bucket::start(Keeper::Emulator).await;
    bucket.release("1").await;
    let mut elsewhere = bucket.environment(DAEMON);
    elsewhere.insert("AWS_REGION", "eu-west-1".to_owned());
    let log = bucket.directory("elsewhere", &[]).join("log");
    let daemon = Daemon::start(&["--resync", "1"], elsewhere, &log).await;
    let help = "(the bucket is in us-east-1); set AWS_REGION to the bucket's region";
    until_not_ready(&daemon, "AuthorizationHeaderMalformed", help).await;
    daemon.stop().await;

    let daemon = bucket.daemon_with(DAEMON, &[]).await;
    bucket.until_released("1").await;
    daemon.until_synced().await;
    let faults = format!("{}/_emulator/faults", bucket.cloud.url());
    let expired = json!({"rules": [{"service": "s3", "effect": "expiredCredentials"}]});
    bucket.cloud.post(&faults, &expired).await;
    until_not_ready(&daemon, "ExpiredToken", "renew the credentials").await;
    // What was read stays in force.
    bucket.drift().await;
    until("it is repaired", async || {
        (!bucket.is_drifted().await).then_some(())
    })
    .await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_does_not_exist_is_named_with_what_to_do() {
    let bucket = Bucket::start(Keeper::Moto).await;
    let daemon = bucket
        .daemon_with(DAEMON, &["--manifests", "s3://evenkeel-none/manifests"])
        .await;
    let why = until("it says so", async || {
        let (is_ready, why) = daemon.page("/readyz").await?;
        (!is_ready && why.contains("NoSuchBucket")).then_some(why)
    })
    .await;
    assert!(why.contains("s3://evenkeel-none/manifests"), "{why}");
    assert!(
        why.contains("create the bucket or correct its name"),
        "{why}"
    );
    let logged = daemon.log();
    let mut errors = logged.iter().filter(|line| line["level"] == "ERROR");
    assert!(errors.any(|line| line["message"].to_string().contains("NoSuchBucket")));

    let pushed = bucket
        .evenkeel(&["push", "manifests", "s3://evenkeel-none/manifests"])
        .await;
    assert_eq!(pushed.status.code(), Some(1), "{pushed:?}");
    assert!(said(&pushed).contains("create the bucket"), "{pushed:?}");
}
