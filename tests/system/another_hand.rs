//! Somebody else in the same account: boto3, which knows nothing of Evenkeel, and releases pushed by hand.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use crate::world::{PATIENCE, RESYNC, World};

/// The Python that `scripts/setup --test` makes.
pub const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/python/bin/python");

/// What every program begins with. One attempt: a call that fails must be seen.
const CLIENTS: &str = "
import boto3, botocore.config, json
config = botocore.config.Config(retries={'total_max_attempts': 1})
ecs, elbv2, logs = (boto3.client(name, config=config) for name in ('ecs', 'elbv2', 'logs'))
def service():
    return ecs.describe_services(cluster='evenkeel', services=['api'], include=['TAGS'])['services'][0]
def say(value):
    print(json.dumps(value, default=str))
";

/// Runs a Python program with the clients `ecs`, `elbv2` and `logs`, `service()` for the service as it is, and `say(value)`;
/// what it said last, or null.
pub async fn boto3(program: &str, environment: BTreeMap<&str, String>) -> Value {
    let mut python = tokio::process::Command::new(PYTHON);
    python
        .arg("-c")
        .arg(format!("{CLIENTS}{program}"))
        // Nobody's profile, nobody's proxy.
        .env_clear()
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .envs(environment)
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, python.output())
        .await
        .expect("the program did not end")
        .unwrap_or_else(|error| panic!("{PYTHON}: {error}: run through `make test`"));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{program}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said.lines().last().map_or(Value::Null, |line| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
    })
}

impl World {
    /// [`boto3`], signed as `boto3`.
    pub async fn boto3(&self, program: &str) -> Value {
        boto3(program, self.environment("boto3")).await
    }

    /// Waits until a program says this, for three resyncs at most: the first may have begun before there was anything
    /// to see, the second repairs, and Python takes its time.
    pub async fn until_boto3_says(&self, program: &str, expected: &Value) {
        let deadline = Instant::now() + Duration::from_secs(3 * RESYNC);
        loop {
            let said = self.boto3(program).await;
            if said == *expected {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{said:#} is not {expected:#} after three resyncs of {RESYNC} s"
            );
        }
    }

    /// Pushes the release that misbehaves (`tests/fixtures/misbehaves.rs`) as `api:tag`, with this environment.
    pub async fn push_misbehaving(&self, tag: &str, environment: &[&str]) {
        let beside = std::path::Path::new(env!("CARGO_BIN_EXE_evenkeel"));
        let executable = beside.with_file_name("examples").join("misbehaves");
        let (image, state) = (format!("api:{tag}"), self.state());
        let mut arguments = vec!["local", "push", &image, "--exe"];
        arguments.extend([executable.to_str().unwrap(), "--state"]);
        arguments.push(state.to_str().unwrap());
        for variable in environment {
            arguments.extend(["--env", variable]);
        }
        let pushed = self.evenkeel("by-hand", &arguments).await;
        assert!(pushed.status.success(), "{pushed:?}");
    }
}
