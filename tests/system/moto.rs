//! moto's server (<https://docs.getmoto.org>) with what Terraform lays down, and `evenkeel` against it. moto writes down
//! every request, so that what was asked of it can be told by caller.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    another_hand::{PYTHON, boto3},
    daemon::{Daemon, until},
    world::{DAEMON, PATIENCE, copy_manifests},
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
pub struct Server {
    process: Child,
    url: String,
    directory: TempDir,
}

impl Server {
    /// Starts one with these arguments of `tests/fixtures/moto_server.py`.
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
        let process = server
            .spawn()
            .unwrap_or_else(|error| panic!("{PYTHON}: {error}: run through `make test`"));
        let mut server = Self {
            process,
            url: String::new(),
            directory,
        };
        server.url = until("moto says where it listens", async || {
            let said = fs::read_to_string(&log).unwrap();
            let (_, address) = said.split_once("Running on ")?;
            Some(address.split_once('\n')?.0.to_owned())
        })
        .await;
        server
    }
}

#[cfg(feature = "local")]
impl Server {
    /// Its endpoint.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A server with what manifests/api.yaml names.
pub struct Moto {
    server: Server,
}

impl Moto {
    /// Starts one with these arguments, and lays down what is named.
    pub async fn start(arguments: &[&str]) -> Self {
        let moto = Self {
            server: Server::start(arguments).await,
        };
        let mut outputs: Value = serde_json::from_str(OUTPUTS).unwrap();
        for (name, value) in moto.boto3(LAY_DOWN).await.as_object().unwrap() {
            outputs[name]["value"] = value.clone();
        }
        let manifests = moto.directory().join("manifests");
        fs::create_dir(&manifests).unwrap();
        fs::write(manifests.join("terraform.json"), outputs.to_string()).unwrap();
        copy_manifests(&manifests, |_| {});
        moto
    }

    /// The manifest.
    pub fn manifest(&self) -> PathBuf {
        self.directory().join("manifests/api.yaml")
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
        let log = self.directory().join("daemon.log");
        Daemon::start(&["--resync", "1"], self.environment(DAEMON), &log).await
    }

    fn directory(&self) -> &Path {
        self.server.directory.path()
    }

    fn environment(&self, caller: &str) -> BTreeMap<&'static str, String> {
        let manifests = self.directory().join("manifests");
        BTreeMap::from([
            ("AWS_ENDPOINT_URL", self.server.url.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", caller.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "not-a-secret".to_owned()),
            ("EVENKEEL_MANIFESTS", manifests.display().to_string()),
        ])
    }

    /// The operations that this caller has asked for so far, in order.
    pub fn operations(&self, caller: &str) -> Vec<String> {
        let requests = fs::read_to_string(self.directory().join("requests")).unwrap();
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
        let log = fs::read_to_string(self.directory().join("moto.log")).unwrap();
        // A refusal is in colours, and so has something between the two.
        log.lines()
            .filter(|line| line.contains("HTTP/1.1") && !line.contains("HTTP/1.1\" 200"))
            .map(str::to_owned)
            .collect()
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
