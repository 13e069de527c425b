//! moto's server (<https://docs.getmoto.org>) with what Terraform lays down, and `evenkeel` against it. moto writes down
//! every request, so that what was asked of it can be told by caller.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Duration, Instant};

use crate::{
    another_hand::{PYTHON, boto3},
    world::{DAEMON, PATIENCE, try_get},
};

/// The caller of commands.
pub const BY_HAND: &str = "by-hand";

/// What Terraform makes, and what ECS does with the target group: moto's ECS registers no targets. Says which of Terraform's
/// outputs that changes.
const LAY_DOWN: &str = "
ec2, ecr = boto3.client('ec2'), boto3.client('ecr')
vpc = ec2.create_vpc(CidrBlock='10.0.0.0/16')['Vpc']['VpcId']
subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f'10.0.{i}.0/24', AvailabilityZone=f'us-east-1{zone}')['Subnet']['SubnetId']
           for i, zone in enumerate('ab')]
group = ec2.create_security_group(VpcId=vpc, GroupName='api', Description='api')['GroupId']
ecs.create_cluster(clusterName='evenkeel')
balancer = elbv2.create_load_balancer(Name='api', Subnets=subnets)['LoadBalancers'][0]['LoadBalancerArn']
targets = elbv2.create_target_group(Name='api', Protocol='HTTP', Port=80, VpcId=vpc, TargetType='ip')['TargetGroups'][0]['TargetGroupArn']
elbv2.create_listener(LoadBalancerArn=balancer, Protocol='HTTP', Port=80, DefaultActions=[{'Type': 'forward', 'TargetGroupArn': targets}])
elbv2.register_targets(TargetGroupArn=targets, Targets=[{'Id': f'10.0.{i}.9', 'Port': 80} for i in range(2)])
repository = ecr.create_repository(repositoryName='api')['repository']['repositoryUri']
for number, tag in enumerate(('1.0.0', '1.1.0')):
    # moto takes the layers' digests for the image's.
    manifest = {'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json',
                'config': {'mediaType': 'application/vnd.oci.image.config.v1+json', 'size': 2, 'digest': f'sha256:{0:064x}'},
                'layers': [{'mediaType': 'application/vnd.oci.image.layer.v1.tar', 'size': 2, 'digest': f'sha256:{number:064x}'}]}
    ecr.put_image(repositoryName='api', imageTag=tag, imageManifest=json.dumps(manifest))
say({'cluster_name': 'evenkeel', 'ecr_repository_url': repository, 'target_group_arn': targets,
     'private_subnet_ids': subnets, 'ecs_security_group_id': group})
";

/// What `terraform output -json` says.
const OUTPUTS: &str = include_str!("../../terraform/tests/outputs.json");

/// A running server.
pub struct Moto {
    server: Child,
    url: String,
    directory: TempDir,
}

/// A running `evenkeel run`.
pub struct Daemon {
    process: Child,
    url: String,
}

impl Moto {
    /// Starts one with these arguments of `tests/fixtures/moto_server.py`, and lays down what manifests/api.yaml names.
    pub async fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("moto.log");
        let mut server = Command::new(PYTHON);
        server
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/fixtures/moto_server.py"
            ))
            .args(arguments)
            .env_clear()
            .env("MOTO_ENABLE_RECORDING", "1")
            .env("MOTO_RECORDER_FILEPATH", directory.path().join("requests"))
            // It starts no tasks: so many are said to run from the start, and deployments to be completed.
            .env("MOTO_ECS_SERVICE_RUNNING", "2")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap());
        let server = server
            .spawn()
            .unwrap_or_else(|error| panic!("{PYTHON}: {error}: run through `make test`"));
        let mut moto = Self {
            server,
            url: String::new(),
            directory,
        };
        moto.url = until("moto says where it listens", async || {
            let said = fs::read_to_string(&log).unwrap();
            let (_, address) = said.split_once("Running on ")?;
            Some(address.split_once('\n')?.0.to_owned())
        })
        .await;
        let mut outputs: Value = serde_json::from_str(OUTPUTS).unwrap();
        for (name, value) in moto.boto3(LAY_DOWN).await.as_object().unwrap() {
            outputs[name]["value"] = value.clone();
        }
        let manifests = moto.directory.path().join("manifests");
        fs::create_dir(&manifests).unwrap();
        fs::write(manifests.join("terraform.json"), outputs.to_string()).unwrap();
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/api.yaml");
        fs::copy(manifest, moto.manifest()).unwrap();
        moto
    }

    /// The manifest.
    pub fn manifest(&self) -> PathBuf {
        self.directory.path().join("manifests/api.yaml")
    }

    /// Edits the manifest. Each `from` must be there.
    pub fn edit(&self, edits: &[(&str, &str)]) {
        let mut text = fs::read_to_string(self.manifest()).unwrap();
        for (from, to) in edits {
            assert!(text.contains(from), "{from} is not in the manifest");
            text = text.replace(from, to);
        }
        fs::write(self.manifest(), text).unwrap();
    }

    /// As [`boto3`], signed as `boto3`.
    pub async fn boto3(&self, program: &str) -> Value {
        boto3(program, self.environment("boto3")).await
    }

    /// `evenkeel` with these arguments.
    pub async fn evenkeel(&self, arguments: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_evenkeel"));
        command
            .args(arguments)
            .envs(self.environment(BY_HAND))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        tokio::time::timeout(PATIENCE, command.output())
            .await
            .expect("the command did not end")
            .unwrap()
    }

    /// Starts the daemon, which looks every second.
    pub async fn daemon(&self) -> Daemon {
        let log = self.directory.path().join("daemon.log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
        command
            .args(["run", "--resync", "1", "--http", "127.0.0.1:0"])
            .args(["--log-format", "json"])
            .envs(self.environment(DAEMON))
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap());
        let mut daemon = Daemon {
            process: command.spawn().unwrap(),
            url: String::new(),
        };
        let address = until("the daemon says where it listens", async || {
            let said = fs::read_to_string(&log).unwrap();
            let mut lines = said
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let listening = lines.find(|line| line["message"] == "listening")?;
            Some(listening["address"].as_str()?.to_owned())
        });
        daemon.url = format!("http://{}", address.await);
        daemon
    }

    fn environment(&self, caller: &str) -> BTreeMap<&'static str, String> {
        let manifests = self.directory.path().join("manifests");
        BTreeMap::from([
            ("AWS_ENDPOINT_URL", self.url.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", caller.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "not-a-secret".to_owned()),
            ("EVENKEEL_MANIFESTS", manifests.display().to_string()),
        ])
    }

    /// The operations that this caller has asked for so far, in order.
    pub fn operations(&self, caller: &str) -> Vec<String> {
        let requests = fs::read_to_string(self.directory.path().join("requests")).unwrap();
        // The last line may be being written.
        let complete = requests.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let requests = complete
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let signed = format!("Credential={caller}/");
        requests
            .filter(|request| {
                let headers = &request["headers"];
                let signature = headers["Authorization"].as_str();
                signature.is_some_and(|signature| signature.contains(&signed))
            })
            .map(|request| operation(&request))
            .collect()
    }

    /// Of these, those that change something.
    pub fn writes(&self, caller: &str) -> Vec<String> {
        let mut operations = self.operations(caller);
        operations.retain(|operation| {
            let reads = ["Describe", "List", "Get", "Filter"];
            !reads.iter().any(|read| operation.starts_with(read))
        });
        operations
    }

    /// Every answer of moto's that was not a success, as it logs them.
    pub fn refused(&self) -> Vec<String> {
        let log = fs::read_to_string(self.directory.path().join("moto.log")).unwrap();
        // A refusal is in colours, and so has something between the two.
        log.lines()
            .filter(|line| line.contains("HTTP/1.1") && !line.contains("HTTP/1.1\" 200"))
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Daemon {
    /// Waits until its service is in sync.
    pub async fn until_synced(&self) {
        let page = format!("{}/api/v1/services", self.url);
        until("it is in sync", async || {
            let answer = try_get(&page).await.ok()?;
            let services: Value = serde_json::from_slice(answer.body()).ok()?;
            (services[0]["phase"] == "Synced").then_some(())
        })
        .await;
    }

    /// Stops it as ECS would.
    pub async fn stop(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        let status = until("it has ended", async || self.process.try_wait().unwrap()).await;
        assert!(status.success(), "{status}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn operation(request: &Value) -> String {
    if let Some(target) = request["headers"]["X-Amz-Target"].as_str() {
        return target.split_once('.').unwrap().1.to_owned();
    }
    let body = aws_smithy_types::base64::decode(request["body"].as_str().unwrap()).unwrap();
    let body = String::from_utf8(body).unwrap();
    let action = body
        .split('&')
        .find_map(|pair| pair.strip_prefix("Action="));
    action.unwrap().to_owned()
}

/// Polls until there is an answer.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
