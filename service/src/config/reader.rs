//! Reads variables one after the other and collects what is wrong with them.

use std::ffi::OsString;
use std::path::Path;

use rustls::{ClientConfig, RootCertStore};

use super::Environment;
use super::url::Asked;
use crate::tls;

pub(super) struct Reader<'a> {
    environment: Environment<'a>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(environment: Environment<'a>) -> Self {
        Self {
            environment,
            problems: Vec::new(),
        }
    }

    pub(super) fn required<T>(
        &mut self,
        variable: &'static str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match self.text(variable)? {
            Some(text) => self.parsed(variable, parse(&text)),
            None => {
                self.problem(variable, "is not set and has no default".to_owned());
                None
            }
        }
    }

    /// A store's URL, and the TLS client if it asks for TLS.
    pub(super) fn store<T>(
        &mut self,
        names: &StoreVariables,
        parse: fn(&str) -> Result<Asked<T>, String>,
    ) -> Option<(T, Option<ClientConfig>)> {
        let url = self.required(names.url, parse);
        // Read even when the URL is wrong, so that its problems are said in the same run.
        let roots = self.text(names.ca_file)?.map(|path| {
            tls::bundle(Path::new(&path)).map_err(|error| (names.ca_file, error.to_string()))
        });
        if url.is_none()
            && let Some(Err((variable, message))) = roots
        {
            self.problem(variable, message);
            return None;
        }
        match (url?, roots) {
            (Asked::Verified(target), roots) => {
                let roots = roots.unwrap_or_else(|| self.system_roots(names));
                Some((target, Some(self.client(names, roots)?)))
            }
            (Asked::Plain(target), None) => Some((target, None)),
            (Asked::Plain(_), Some(_)) => {
                let message = format!(
                    "is set, but {} does not ask for TLS; write {} there, or unset this",
                    names.url, names.ask
                );
                self.problem(names.ca_file, message);
                None
            }
        }
    }

    fn system_roots(
        &self,
        names: &StoreVariables,
    ) -> Result<RootCertStore, (&'static str, String)> {
        tls::system().map_err(|error| {
            let configured = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
                .into_iter()
                .find(|name| (self.environment)(name).is_some());
            let StoreVariables { url, ca_file, .. } = names;
            match configured {
                Some(variable) => (
                    variable,
                    format!("does not help {url}: {error}; correct it or set {ca_file}"),
                ),
                None => (
                    *url,
                    format!("asks for TLS, but {error}; set SSL_CERT_FILE or {ca_file}"),
                ),
            }
        })
    }

    pub(super) fn client(
        &mut self,
        names: &StoreVariables,
        roots: Result<RootCertStore, (&'static str, String)>,
    ) -> Option<ClientConfig> {
        roots
            .and_then(|roots| {
                tls::client(roots).map_err(|error| (names.url, format!("cannot use TLS: {error}")))
            })
            .map_err(|(variable, message)| self.problem(variable, message))
            .ok()
    }

    pub(super) fn or<T>(
        &mut self,
        variable: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match self.text(variable)? {
            Some(text) => self.parsed(variable, parse(&text)),
            None => Some(default),
        }
    }

    /// An empty variable counts as unset; `None` when the value is not UTF-8, which is then reported.
    fn text(&mut self, variable: &'static str) -> Option<Option<String>> {
        match (self.environment)(variable).map(OsString::into_string) {
            None => Some(None),
            Some(Ok(text)) => Some(Some(text).filter(|text| !text.is_empty())),
            Some(Err(_)) => {
                self.problem(variable, "is not UTF-8".to_owned());
                None
            }
        }
    }

    fn parsed<T>(&mut self, variable: &'static str, result: Result<T, String>) -> Option<T> {
        result
            .map_err(|message| self.problem(variable, message))
            .ok()
    }

    pub(super) fn problem(&mut self, variable: &'static str, message: String) {
        self.problems.push(Problem { variable, message });
    }

    pub(super) fn finish<T>(self, parsed: Option<T>) -> Result<T, Vec<Problem>> {
        match parsed {
            Some(value) if self.problems.is_empty() => Ok(value),
            Some(_) | None => Err(self.problems),
        }
    }
}

/// The variables of a store.
pub(super) struct StoreVariables {
    pub(super) url: &'static str,
    pub(super) ca_file: &'static str,
    /// What turns TLS on.
    pub(super) ask: &'static str,
}

/// One variable that is missing or malformed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {message}")]
pub(crate) struct Problem {
    variable: &'static str,
    message: String,
}
