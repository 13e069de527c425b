//! Why `local up` did not start, or ended by itself.

use std::{io, path::PathBuf};

use super::{
    child::{ChildError, Death},
    cloud::CloudError,
    emulated::EmulatedError,
    files::FilesError,
    images::ImageError,
    place::PlaceError,
    ports::PortError,
    postgres::PostgresError,
    redis::RedisError,
    store_url::NotAStoreUrl,
};

/// Any failure of `local up`.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpError {
    /// No signal handling.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    /// Nobody knows what we are.
    #[error("cannot work with this program's own executable: {0}")]
    OwnExecutable(io::Error),
    /// No API to run.
    #[error("there is no executable {}", .0.display())]
    NoApi(PathBuf),
    /// Nothing to reconcile.
    #[error("there is no directory {} with manifests", .0.display())]
    NoManifests(PathBuf),
    /// A daemon that would end the same way again.
    #[error("{reason}: {death}")]
    Daemon {
        /// In a few words.
        reason: &'static str,
        /// How it ended.
        death: Death,
    },
    #[error(transparent)]
    Url(#[from] NotAStoreUrl),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error(transparent)]
    Emulated(#[from] EmulatedError),
    #[error(transparent)]
    Cloud(#[from] CloudError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Child(#[from] ChildError),
    #[error(transparent)]
    Files(#[from] FilesError),
}

impl UpError {
    /// What the person can do.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Self::NoApi(_) => {
                Some("build it with cargo build --workspace, or name it with --api FILE".into())
            }
            Self::NoManifests(_) => {
                Some("name it with --manifests DIR or EVENKEEL_MANIFESTS".into())
            }
            Self::Daemon { death, .. } => {
                Some(format!("its whole output is in {}", death.log.display()))
            }
            Self::Url(error) => Some(format!("unset {} for a private one", error.variable)),
            Self::Port(error) => error.help(),
            Self::Postgres(error) => error.help(),
            Self::Redis(error) => error.help(),
            Self::Emulated(error) => error.help(),
            Self::Child(error) => error.help(),
            Self::Files(error) => error.help(),
            Self::Signals(_)
            | Self::OwnExecutable(_)
            | Self::Place(_)
            | Self::Cloud(_)
            | Self::Image(_) => None,
        }
    }
}
