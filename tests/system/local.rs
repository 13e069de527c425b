//! `evenkeel local up` as a program: what it says when it cannot start, and that it leaves nothing behind.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::world::World;

/// `local up` with stores of its own and a state directory of its own.
fn up(state: &Path) -> Command {
    let mut up = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    up.args(["local", "up", "--state"])
        .arg(state)
        .args([
            "--manifests",
            concat!(env!("CARGO_MANIFEST_DIR"), "/manifests"),
        ])
        .env("EVENKEEL_LB_PORT", "0")
        .env("EVENKEEL_HTTP_PORT", "0")
        .env("EVENKEEL_AWS_PORT", "0")
        .env_remove("DATABASE_URL")
        .env_remove("REDIS_URL")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    up
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_and_a_taken_port_are_clear_errors() {
    let world = World::start().await;
    let second = up(&world.state()).output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&world.supervisor_pid().to_string()),
        "it names the first one: {said}"
    );

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let state = tempfile::tempdir().unwrap();
    let refused = up(state.path())
        .env("EVENKEEL_LB_PORT", &port)
        .output()
        .unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&port) && said.contains("EVENKEEL_LB_PORT"),
        "{said}"
    );
}

#[test]
fn a_signal_at_any_moment_of_the_start_leaves_nothing_running() {
    for moment in [20, 150, 400, 900, 1_800, 3_500] {
        let state = tempfile::tempdir().unwrap();
        let mut run = up(state.path()).spawn().unwrap();
        let began = Instant::now();
        let mut started: Vec<Value> = Vec::new();
        while began.elapsed() < Duration::from_millis(moment) {
            started = processes(state.path()).unwrap_or(started);
            std::thread::sleep(Duration::from_millis(5));
        }
        kill(
            Pid::from_raw(i32::try_from(run.id()).unwrap()),
            Signal::SIGTERM,
        )
        .unwrap();
        run.wait().unwrap();
        let left: Vec<_> = started
            .iter()
            .filter(|process| is_running(process))
            .collect();
        assert!(left.is_empty(), "after {moment} ms: {left:#?}");
        assert_eq!(
            processes(state.path()).unwrap_or_default(),
            [] as [Value; 0],
            "after {moment} ms"
        );
    }
}

fn processes(state: &Path) -> Option<Vec<Value>> {
    serde_json::from_slice(&fs::read(state.join("processes.json")).ok()?).ok()
}

fn is_running(process: &Value) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process["pid"])).unwrap_or_default();
    let fields: Vec<_> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    // The 22nd field of the file is the 20th after the name: the start time, which no successor of the id shares.
    fields.get(19).and_then(|started| started.parse().ok()) == process["started"].as_u64()
}
