//! `evenkeel local push`: an executable becomes an image in the local registry.

use std::{collections::BTreeMap, io::Write, path::PathBuf, process::ExitCode};

use clap::Args;

use super::{
    aws::Addresses,
    cloud,
    files::{self, FilesError, State},
    images::{self, ImageError, Reference},
};

/// Pushes an executable as an image to the local AWS and prints REPOSITORY@DIGEST.
#[derive(Debug, Args)]
pub struct Push {
    /// The image, such as api:1.2.0.
    #[arg(value_name = "NAME:TAG")]
    image: Reference,
    /// The executable.
    #[arg(long, value_name = "FILE")]
    exe: PathBuf,
    /// A variable of the image's environment; may be given more than once.
    #[arg(long, value_name = "K=V", value_parser = variable)]
    env: Vec<(String, String)>,
    /// An argument of the executable; may be given more than once.
    #[arg(long, value_name = "A", allow_hyphen_values = true)]
    arg: Vec<String>,
    /// The state directory.
    #[arg(
        long,
        env = "EVENKEEL_STATE",
        default_value = ".local",
        value_name = "DIR"
    )]
    state: PathBuf,
}

/// Why nothing was pushed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PushError {
    /// Nothing to push to.
    #[error("no local AWS runs on {}", .0.display())]
    NotRunning(PathBuf),
    /// The image is not right or was refused.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The system refused.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Standard output is gone.
    #[error("cannot print: {0}")]
    Print(#[from] std::io::Error),
}

impl PushError {
    /// What the person can do.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Self::NotRunning(_) => {
                Some("start it with `make up`, or name its directory with --state".into())
            }
            Self::Image(_) | Self::Print(_) => None,
            Self::Files(error) => error.help(),
        }
    }
}

/// Stores the executable, then puts the image.
pub(super) async fn run(push: Push) -> Result<ExitCode, PushError> {
    let state = State::at(&push.state)?;
    let addresses: Addresses = files::read_json(&state.aws())?
        .ok_or_else(|| PushError::NotRunning(state.dir().to_owned()))?;
    let executable = images::store(&state.images(), &push.exe)?;
    let env: BTreeMap<String, String> = push.env.into_iter().collect();
    let clients = cloud::clients(&addresses.endpoint);
    let pushed = images::push(&clients, &push.image, executable, env, push.arg).await?;
    writeln!(anstream::stdout(), "{pushed}")?;
    Ok(ExitCode::SUCCESS)
}

fn variable(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a variable is NAME=VALUE"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_may_hold_equals_signs_and_be_empty() {
        assert_eq!(variable("A=b=c").unwrap(), ("A".into(), "b=c".into()));
        assert_eq!(variable("A=").unwrap(), ("A".into(), String::new()));
        assert!(variable("A").is_err());
        assert!(variable("=b").is_err());
    }
}
