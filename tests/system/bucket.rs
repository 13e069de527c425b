//! A bucket with manifests and a lease, and daemons that read it. The services are the emulator's; the bucket is the
//! emulator's or moto's, whose S3 none of us wrote.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    another_hand::boto3,
    bare::{Bare, CLUSTER},
    daemon::{Daemon, until},
    moto::Server,
    record,
    world::{DAEMON, get},
};

/// Who keeps the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// The emulator.
    Emulator,
    /// moto's server.
    Moto,
}

/// Where the daemons read.
pub const MANIFESTS: &str = "s3://evenkeel/manifests";
/// The lease that they share.
pub const LEASE: &str = "s3://evenkeel/lease";

/// A bucket and an AWS.
pub struct Bucket {
    pub cloud: Bare,
    pub moto: Option<Server>,
    directory: TempDir,
}

/// A service that needs nothing and runs nothing. `release` is the edit that rolls out.
pub fn manifest(name: &str, release: &str) -> String {
    format!(
        "apiVersion: evenkeel/v1
kind: Service
metadata: {{name: {name}}}
spec:
  cluster: {CLUSTER}
  service:
    desiredCount: 0
    launchType: FARGATE
    networkConfiguration: {{awsvpcConfiguration: {{subnets: [subnet-00000001]}}}}
  taskDefinition:
    requiresCompatibilities: [FARGATE]
    networkMode: awsvpc
    cpu: '256'
    memory: '512'
    containerDefinitions: [{{name: main, image: nginx, environment: [{{name: RELEASE, value: '{release}'}}]}}]
"
    )
}

impl Bucket {
    /// Makes the bucket, with nothing in it.
    pub async fn start(keeper: Keeper) -> Self {
        let cloud = Bare::start().await;
        let moto = match keeper {
            Keeper::Emulator => None,
            Keeper::Moto => Some(Server::start(&[]).await),
        };
        let bucket = Self {
            cloud,
            moto,
            directory: tempfile::tempdir().unwrap(),
        };
        bucket.s3("s3.create_bucket(Bucket='evenkeel')").await;
        bucket
    }

    /// What a process signed as `caller` is told.
    pub fn environment(&self, caller: &str) -> BTreeMap<&'static str, String> {
        let mut environment = BTreeMap::from([
            ("AWS_ENDPOINT_URL", self.cloud.url().to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", caller.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "not-a-secret".to_owned()),
            ("EVENKEEL_MANIFESTS", MANIFESTS.to_owned()),
        ]);
        if let Some(moto) = &self.moto {
            environment.insert("AWS_ENDPOINT_URL_S3", moto.url().to_owned());
        }
        environment
    }

    /// Runs a program of boto3 with `s3`, and `put(name, text)` for objects beside the manifests.
    pub async fn s3(&self, program: &str) -> Value {
        let clients = "s3 = boto3.client('s3', config=config)
def put(name, text):
    s3.put_object(Bucket='evenkeel', Key=f'manifests/{name}', Body=text.encode())
";
        boto3(&format!("{clients}{program}\n"), self.environment("boto3")).await
    }

    /// A directory of its own with these files.
    pub fn directory(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::create_dir_all(&path).unwrap();
        for (file, text) in files {
            fs::write(path.join(file), text).unwrap();
        }
        path
    }

    /// Pushes the service `web` in this release; it must be taken.
    pub async fn release(&self, release: &str) {
        let directory = self.directory("release", &[("web.yaml", &manifest("web", release))]);
        let pushed = self
            .evenkeel(&["push", directory.to_str().unwrap(), MANIFESTS])
            .await;
        assert!(pushed.status.success(), "{pushed:?}");
    }

    /// `evenkeel` with these arguments.
    pub async fn evenkeel(&self, arguments: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_evenkeel"));
        command
            .args(arguments)
            .envs(self.environment("by-hand"))
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(crate::world::PATIENCE, command.output());
        output.await.expect("the command did not end").unwrap()
    }

    /// A daemon that reads the bucket and shares the lease, signed as `caller`.
    pub async fn daemon(&self, caller: &str) -> Daemon {
        self.daemon_with(caller, &["--lease", LEASE]).await
    }

    /// A daemon with other arguments.
    pub async fn daemon_with(&self, caller: &str, arguments: &[&str]) -> Daemon {
        let log = self.directory.path().join(format!("{caller}.log"));
        let arguments = [&["--resync", "1"], arguments].concat();
        Daemon::start(&arguments, self.environment(caller), &log).await
    }

    /// The calls that AWS has had of a caller, S3's among them where the emulator keeps the bucket.
    pub async fn calls(&self, caller: &str) -> Vec<Value> {
        let journal = get(&format!("{}/_emulator/journal", self.cloud.url())).await;
        let journal: Value = serde_json::from_slice(journal.body()).unwrap();
        let entries = journal["entries"].as_array().unwrap().iter();
        entries
            .filter(|entry| entry["caller"] == caller)
            .cloned()
            .collect()
    }

    /// How often a caller has changed a service.
    pub async fn writes(&self, caller: &str) -> usize {
        let calls = self.calls(caller).await.into_iter();
        calls
            .filter(|call| call["write"] == true && call["service"] != "s3")
            .count()
    }

    /// Waits until the live service runs this release.
    pub async fn until_released(&self, release: &str) {
        until(&format!("release {release} is out"), async || {
            (self.released().await? == release).then_some(())
        })
        .await;
    }

    async fn released(&self) -> Option<String> {
        let input = json!({"cluster": CLUSTER, "services": ["web"]});
        let services = self.cloud.ecs("DescribeServices", input).await;
        let definition = services["services"][0]["taskDefinition"].clone();
        definition.as_str()?;
        let input = json!({"taskDefinition": definition});
        let definition = self.cloud.ecs("DescribeTaskDefinition", input).await;
        let container = &definition["taskDefinition"]["containerDefinitions"][0];
        Some(container["environment"][0]["value"].as_str()?.to_owned())
    }

    /// Somebody changes what the manifest says, without a deployment.
    pub async fn drift(&self) {
        let configuration = json!({"maximumPercent": 150, "minimumHealthyPercent": 100});
        let input =
            json!({"cluster": CLUSTER, "service": "web", "deploymentConfiguration": configuration});
        self.cloud.ecs("UpdateService", input).await;
    }

    /// Whether that is still so.
    pub async fn is_drifted(&self) -> bool {
        let input = json!({"cluster": CLUSTER, "services": ["web"]});
        let services = self.cloud.ecs("DescribeServices", input).await;
        services["services"][0]["deploymentConfiguration"]["maximumPercent"] == 150
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let recorded = record::record(self.cloud.url());
        if let (Err(why), false) = (recorded, std::thread::panicking()) {
            panic!("what {DAEMON} has asked for cannot be recorded: {why}");
        }
    }
}
