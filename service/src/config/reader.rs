//! Reads variables one after the other and collects what is wrong with them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use rustls::{ClientConfig, RootCertStore};

use super::Environment;
use super::url::Asked;
use crate::secret::Secret;
use crate::tls;

/// The CA certificates to trust, or which variable is wrong, and how.
type Roots = Result<RootCertStore, (&'static str, String)>;

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
        let given = match names.ca_file {
            Some(variable) => self
                .text(variable)?
                .map(|path| (variable, bundle(variable, Path::new(&path)))),
            None => None,
        };
        if url.is_none()
            && let Some((_, Err((variable, message)))) = given
        {
            self.problem(variable, message);
            return None;
        }
        match (url?, given) {
            (Asked::Verified(target, named), given) => {
                let roots = match (named, given) {
                    (Some(path), _) => bundle(names.url, &path),
                    (None, Some((_, roots))) => roots,
                    (None, None) => self.system_roots(names),
                };
                Some((target, Some(self.client(names, roots)?)))
            }
            (Asked::Plain(target), None) => Some((target, None)),
            (Asked::Plain(_), Some((variable, _))) => {
                let StoreVariables { url, ask, .. } = names;
                let message = format!(
                    "is set, but {url} does not ask for TLS; write {ask} there, or unset this"
                );
                self.problem(variable, message);
                None
            }
        }
    }

    /// A value as it stands, whatever its bytes; an empty one counts as unset.
    pub(super) fn secret(&self, variable: &'static str) -> Option<Secret<Vec<u8>>> {
        (self.environment)(variable)
            .map(OsString::into_vec)
            .filter(|value| !value.is_empty())
            .map(Secret::new)
    }

    fn system_roots(&self, names: &StoreVariables) -> Roots {
        tls::system().map_err(|error| {
            let configured = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
                .into_iter()
                .find(|name| (self.environment)(name).is_some());
            let StoreVariables { url, bundle, .. } = names;
            match configured {
                Some(variable) => (
                    variable,
                    format!("does not help {url}: {error}; correct it or set {bundle}"),
                ),
                None => (
                    *url,
                    format!("asks for TLS, but {error}; set SSL_CERT_FILE or {bundle}"),
                ),
            }
        })
    }

    pub(super) fn client(&mut self, names: &StoreVariables, roots: Roots) -> Option<ClientConfig> {
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

/// The CA certificates of a file that `variable` names.
fn bundle(variable: &'static str, path: &Path) -> Roots {
    tls::bundle(path).map_err(|error| (variable, error.to_string()))
}

/// The variables of a store.
pub(super) struct StoreVariables {
    pub(super) url: &'static str,
    /// Where the URL cannot name a bundle of CA certificates itself.
    pub(super) ca_file: Option<&'static str>,
    /// What names a bundle, for people.
    pub(super) bundle: &'static str,
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
