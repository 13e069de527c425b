//! The address of a store. It may hold a password, so it shows itself only when asked to.

use std::fmt;

use percent_encoding::percent_decode_str;

/// A URL of PostgreSQL or Redis. `Debug` and `Display` leave the password out.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct StoreUrl(String);

/// Why a variable's value is not the address of a store. The value is not repeated: it may hold a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} is not a URL that begins with {schemes}")]
pub(super) struct NotAStoreUrl {
    /// The variable.
    pub(super) variable: &'static str,
    schemes: String,
}

impl StoreUrl {
    /// An address made by us.
    pub(super) fn new(url: String) -> Self {
        Self(url)
    }

    /// The value of an environment variable, when it has one.
    pub(super) fn from_variable(
        variable: &'static str,
        value: Option<String>,
        schemes: &[&str],
    ) -> Result<Option<Self>, NotAStoreUrl> {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let fits = schemes.iter().any(|scheme| {
            value
                .strip_prefix(scheme)
                .is_some_and(|rest| rest.starts_with("://") && rest.len() > 3)
        });
        if fits {
            return Ok(Some(Self(value)));
        }
        let schemes: Vec<String> = schemes
            .iter()
            .map(|scheme| format!("{scheme}://"))
            .collect();
        Err(NotAStoreUrl {
            variable,
            schemes: schemes.join(" or "),
        })
    }

    /// All of it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// The URL without its password, and the password as it is: what two secrets hold on AWS, where RDS keeps the password in one of
    /// its own. A password that is no text stays where it is, and then the second is empty, as it is where there is none.
    pub(super) fn apart(&self) -> (String, String) {
        let whole = || (self.0.clone(), String::new());
        // As the API reads it: the credentials end at the first `@`.
        let parts = self.0.split_once("://").and_then(|(scheme, rest)| {
            let (credentials, rest) = rest.split_once('@')?;
            let (user, password) = credentials.split_once(':')?;
            let password = percent_decode_str(password).decode_utf8().ok()?;
            Some((format!("{scheme}://{user}@{rest}"), password.into_owned()))
        });
        parts.unwrap_or_else(whole)
    }

    /// Without password and parameters.
    pub(super) fn without_password(&self) -> String {
        let end = self.0.find(['?', '#']).unwrap_or(self.0.len());
        let bare = self.0.get(..end).unwrap_or_default();
        let Some((scheme, rest)) = bare.split_once("://") else {
            return String::new();
        };
        // A password may hold anything; the host begins behind the last `@`.
        let Some((user, host)) = rest.rsplit_once('@') else {
            return bare.to_owned();
        };
        match user.split_once(':').map_or(user, |(name, _)| name) {
            "" => format!("{scheme}://{host}"),
            name => format!("{scheme}://{name}@{host}"),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_password())
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            (
                "postgres://me:hunter2@db:5432/x?password=hunter2",
                "postgres://me@db:5432/x",
            ),
            ("postgres://me:hun@ter2@db/x", "postgres://me@db/x"),
            ("redis://:hunter2@cache:6379/0", "redis://cache:6379/0"),
            ("redis://cache:6379", "redis://cache:6379"),
            ("postgres://me@db/x", "postgres://me@db/x"),
        ] {
            let url = StoreUrl::new(url.to_owned());
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("ter2"));
        }
    }

    #[test]
    fn a_password_is_taken_out_as_it_is() {
        for (url, rest, password) in [
            (
                "postgres://me:a%23b:c@db:5432/x?y=z",
                "postgres://me@db:5432/x?y=z",
                "a#b:c",
            ),
            ("postgres://me:a?b@db/x", "postgres://me@db/x", "a?b"),
            ("postgres://me@db/x", "postgres://me@db/x", ""),
            ("postgres://db/x", "postgres://db/x", ""),
            ("postgres://me:%ff@db/x", "postgres://me:%ff@db/x", ""),
        ] {
            let apart = StoreUrl::new(url.to_owned()).apart();
            assert_eq!(apart, (rest.to_owned(), password.to_owned()));
        }
    }

    #[test]
    fn a_variable_is_absent_right_or_refused_without_its_value() {
        let parse = |value: &str| {
            StoreUrl::from_variable(
                "DATABASE_URL",
                Some(value.to_owned()),
                &["postgres", "postgresql"],
            )
        };
        assert_eq!(parse(""), Ok(None));
        assert!(parse("postgresql://db/x").unwrap().is_some());
        for wrong in ["hunter2", "mysql://me:hunter2@db", "postgres://"] {
            let error = parse(wrong).unwrap_err().to_string();
            assert_eq!(
                error,
                "DATABASE_URL is not a URL that begins with postgres:// or postgresql://"
            );
        }
    }
}
