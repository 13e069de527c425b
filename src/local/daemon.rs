//! The daemon as a child of `local up`: told by flags and environment, as anywhere else.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use tokio::process::Command;

use super::{
    child::{Death, Plan},
    cloud::{REGION, SECRET_KEY},
    process::Farewell,
};

/// Its access key, by which the journal tells its calls from ours.
const ACCESS_KEY: &str = "evenkeel-daemon";
/// It promises to end within 5 s.
const GRACE: Duration = Duration::from_secs(10);
const USAGE: i32 = 64;
const INVALID_MANIFEST: i32 = 65;

/// How the daemon is run, the same at every restart.
#[derive(Debug)]
pub(super) struct Daemon {
    /// `evenkeel` itself.
    pub(super) program: PathBuf,
    /// The directory of manifests.
    pub(super) manifests: PathBuf,
    /// Terraform's outputs.
    pub(super) outputs: PathBuf,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// The AWS endpoint.
    pub(super) aws: String,
    /// Where its output goes.
    pub(super) log: PathBuf,
}

impl Daemon {
    /// What it is called in messages, and its log.
    pub(super) const NAME: &str = "daemon";

    /// The next run.
    pub(super) fn plan(&self) -> Plan {
        let mut command = Command::new(&self.program);
        command
            .arg("run")
            .arg("--manifests")
            .arg(&self.manifests)
            .arg("--terraform-outputs")
            .arg(&self.outputs)
            .args(["--http", &self.address.to_string()])
            .env_remove("DATABASE_URL")
            .env_remove("DATABASE_PASSWORD")
            .env_remove("REDIS_URL");
        // A profile, or an endpoint per service, would lead away from the emulator: to a real account.
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"AWS_") {
                command.env_remove(name);
            }
        }
        command
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", &self.aws)
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        Plan {
            name: Self::NAME,
            command,
            log: self.log.clone(),
            farewell: Farewell::Terminate,
            grace: GRACE,
            least_grace: Duration::ZERO,
            leash: false,
        }
    }

    /// Why starting it again would not help, if so.
    pub(super) fn hopeless(death: &Death) -> Option<&'static str> {
        match death.status?.code()? {
            USAGE => Some("the daemon refuses its flags or environment"),
            INVALID_MANIFEST => Some("the daemon refuses the manifests"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

    #[test]
    fn only_refusals_are_hopeless() {
        let death = |status| Death {
            name: "daemon".into(),
            status: Some(status),
            log: PathBuf::new(),
        };
        let exit = |code: i32| death(ExitStatus::from_raw(code << 8));
        assert!(Daemon::hopeless(&exit(64)).is_some());
        assert!(Daemon::hopeless(&exit(65)).is_some());
        assert!(Daemon::hopeless(&exit(1)).is_none());
        assert!(Daemon::hopeless(&death(ExitStatus::from_raw(9))).is_none());
    }

    #[test]
    fn nothing_leads_away_from_the_emulator() {
        let daemon = Daemon {
            program: "/bin/evenkeel".into(),
            manifests: "/m".into(),
            outputs: "/o".into(),
            address: ([127, 0, 0, 1], 1).into(),
            aws: "http://127.0.0.1:2".into(),
            log: PathBuf::new(),
        };
        let plan = daemon.plan();
        let set: Vec<_> = plan
            .command
            .as_std()
            .get_envs()
            .filter(|(_, value)| value.is_some())
            .collect();
        let value = |name: &str| {
            set.iter()
                .find(|(key, _)| *key == name)
                .and_then(|(_, value)| *value)
        };
        assert_eq!(value("AWS_ENDPOINT_URL").unwrap(), "http://127.0.0.1:2");
        assert_eq!(value("AWS_CONFIG_FILE").unwrap(), "/dev/null");
        assert!(value("AWS_PROFILE").is_none());
    }
}
