//! `evenkeel local env`: what other terminals need to know, as shell exports.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Args;
use nix::{sys::signal::kill, unistd::Pid};

use super::{
    cloud::{ACCESS_KEY, REGION, SECRET_KEY},
    endpoints::Endpoints,
    files::{self, FilesError, State},
};

/// Prints `export` lines for other terminals: eval "$(evenkeel local env)".
#[derive(Debug, Args)]
pub struct Env {
    /// The state directory.
    #[arg(
        long,
        env = "EVENKEEL_STATE",
        default_value = ".local",
        value_name = "DIR"
    )]
    state: PathBuf,
}

/// Why nothing was printed.
#[derive(Debug, thiserror::Error)]
pub(super) enum EnvError {
    /// Nothing to export.
    #[error("nothing runs on {}", .0.display())]
    NotRunning(PathBuf),
    /// The system refused.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Standard output is gone.
    #[error("cannot print: {0}")]
    Print(#[from] std::io::Error),
}

impl EnvError {
    /// What the person can do.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Self::NotRunning(_) => {
                Some("start it with `make up`, or name its directory with --state".into())
            }
            Self::Files(error) => error.help(),
            Self::Print(_) => None,
        }
    }
}

/// Prints the exports of what runs.
pub(super) fn run(env: Env) -> Result<ExitCode, EnvError> {
    let state = State::at(&env.state)?;
    let endpoints: Option<Endpoints> = files::read_json(&state.endpoints())?;
    let endpoints = endpoints
        .filter(is_running)
        .ok_or_else(|| EnvError::NotRunning(state.dir().to_owned()))?;
    anstream::stdout().write_all(exports(&endpoints, &state).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn is_running(endpoints: &Endpoints) -> bool {
    i32::try_from(endpoints.pid).is_ok_and(|pid| kill(Pid::from_raw(pid), None).is_ok())
}

fn exports(endpoints: &Endpoints, state: &State) -> String {
    let manifests = endpoints.manifests.to_string_lossy();
    let outputs = state.terraform();
    let outputs = outputs.to_string_lossy();
    [
        ("AWS_ENDPOINT_URL", endpoints.aws.as_str()),
        ("AWS_REGION", REGION),
        // boto3 and the first AWS command line read this one only.
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("EVENKEEL_MANIFESTS", &manifests),
        ("EVENKEEL_TERRAFORM_OUTPUTS", &outputs),
        ("EVENKEEL_URL", &endpoints.daemon),
        ("EVENKEEL_LB_URL", &endpoints.load_balancer),
    ]
    .map(|(name, value)| format!("export {name}={}\n", quote(value)))
    .concat()
        + &path_export()
}

/// So that `evenkeel` is found, and is this one.
fn path_export() -> String {
    let program = std::env::current_exe().ok();
    let directory = program.as_deref().and_then(std::path::Path::parent);
    directory.map_or_else(String::new, |directory| {
        format!(
            "export PATH={}:\"$PATH\"\n",
            quote(&directory.to_string_lossy())
        )
    })
}

/// One word for a POSIX shell, whatever it holds.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{path::Path, process::Command};

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for text in [
            "plain",
            "two words",
            "it's",
            "$HOME `id` \"x\" \\ \n end",
            "",
        ] {
            let script = format!("printf %s {}", quote(text));
            let output = Command::new("/bin/sh")
                .args(["-c", &script])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
        }
    }

    #[test]
    fn every_line_is_an_export() {
        let endpoints = Endpoints {
            load_balancer: "http://127.0.0.1:1".into(),
            daemon: "http://127.0.0.1:2".into(),
            aws: "http://127.0.0.1:3".into(),
            state: "/s".into(),
            manifests: "/it's".into(),
            database: "postgres://evenkeel@127.0.0.1:4/postgres".into(),
            redis: "redis://127.0.0.1:5".into(),
            pid: 1,
        };
        let text = exports(&endpoints, &State::at(Path::new("/s")).unwrap());
        assert!(
            text.lines().all(|line| line.starts_with("export ")),
            "{text}"
        );
        assert!(
            text.contains(r"export EVENKEEL_MANIFESTS='/it'\''s'"),
            "{text}"
        );
        assert!(
            text.contains("export AWS_ENDPOINT_URL='http://127.0.0.1:3'"),
            "{text}"
        );
    }
}
