//! What `${…}` in a manifest stands for.
//!
//! | Written | Stands for |
//! |---|---|
//! | `${terraform.NAME}` | an output of `terraform output -json`; alone in a value it may be a list, a mapping or a number |
//! | `${values.NAME}` | what the values file says, as if it had been written in its place |
//! | `${env.NAME}` | a variable of the daemon's environment |
//! | `${image}` | within `spec.taskDefinition`: what `spec.image` resolves to; stays until the definition is made |
//! | `${image.tag}` | `spec.image.tag` |
//! | `$${` | a literal `${` |
//!
//! Values that came from outside are never repeated in a message: messages show the reference.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::Values;

/// Everything a manifest may refer to. Its `Debug` shows names, never values.
#[derive(Clone, Default)]
pub struct References {
    /// `None`: not known here, and not to be asked for (`validate` without outputs).
    pub(super) terraform: Option<BTreeMap<String, Output>>,
    pub(super) values: Values,
    /// `None`: another process's, and not known here.
    pub(super) env: Option<BTreeMap<String, String>>,
}

/// One output as `terraform output -json` prints it; `type` is not needed.
#[derive(Clone, Deserialize)]
pub(super) struct Output {
    pub(super) value: Value,
    #[serde(default)]
    pub(super) sensitive: bool,
}

/// Terraform's outputs could not be read.
#[derive(Debug, Error)]
#[error(
    "not the output of `terraform output -json`: expected an object of {{\"value\": …}} by name (line {line}, column {column})"
)]
pub struct ReferencesError {
    /// Of the JSON text, from 1.
    pub line: usize,
    /// Of the JSON text, from 1.
    pub column: usize,
}

impl References {
    /// `terraform` is the text that `terraform output -json` prints (`{"NAME": {"value": …, "type": …, "sensitive": …}}`).
    ///
    /// `None` means that the outputs are not known: references to them are accepted and left as they are, which is
    /// good for checking a file and not for acting on it.
    ///
    /// # Errors
    /// The text has another shape. The error tells where, and repeats nothing of the text.
    pub fn new(
        terraform: Option<&str>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ReferencesError> {
        let terraform = terraform.map(serde_json::from_str).transpose().map_err(
            |error: serde_json::Error| ReferencesError {
                line: error.line(),
                column: error.column(),
            },
        )?;
        Ok(Self {
            terraform,
            values: Values::default(),
            env: Some(env.into_iter().collect()),
        })
    }

    /// The same, with these values.
    #[must_use]
    pub fn with_values(self, values: Values) -> Self {
        Self { values, ..self }
    }

    /// The same, for a daemon elsewhere: references to its environment are accepted and left as they are.
    #[must_use]
    pub fn without_env(self) -> Self {
        Self { env: None, ..self }
    }
}

impl fmt::Debug for References {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("References")
            .field(
                "terraform",
                &self.terraform.as_ref().map(|outputs| outputs.keys()),
            )
            .field("values", &self.values.0.keys())
            .field("env", &self.env.as_ref().map(BTreeMap::keys))
            .finish()
    }
}
