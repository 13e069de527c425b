//! The fields of a request's head that every request is asked for. Pure.
//!
//! They are found in one pass: looking each up hashes its name first, which costs more than the few fields of a request do.

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderValue};

use super::REQUEST_ID;
use super::timing::{self, PREFER};
use super::trace::TRACEPARENT;

/// What is there of them.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    pub(crate) host: Found<'a>,
    pub(crate) request_id: Found<'a>,
    pub(crate) traceparent: Found<'a>,
    /// Whether the caller asks for `Server-Timing`.
    pub(crate) wants_timing: bool,
}

/// How often a field is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    #[default]
    Nowhere,
    Once(&'a HeaderValue),
    /// With the first of its values.
    Often(&'a HeaderValue),
}

impl<'a> Fields<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let mut fields = Self::default();
        for (name, value) in headers {
            if *name == HOST {
                fields.host.add(value);
            } else if *name == REQUEST_ID {
                fields.request_id.add(value);
            } else if *name == TRACEPARENT {
                fields.traceparent.add(value);
            } else if *name == PREFER {
                fields.wants_timing |= timing::is_wanted(value);
            }
        }
        fields
    }
}

impl<'a> Found<'a> {
    /// The value, where there is no other.
    pub(crate) const fn sole(self) -> Option<&'a HeaderValue> {
        match self {
            Self::Once(value) => Some(value),
            Self::Nowhere | Self::Often(_) => None,
        }
    }

    pub(crate) const fn first(self) -> Option<&'a HeaderValue> {
        match self {
            Self::Once(value) | Self::Often(value) => Some(value),
            Self::Nowhere => None,
        }
    }

    const fn add(&mut self, value: &'a HeaderValue) {
        *self = match *self {
            Self::Nowhere => Self::Once(value),
            Self::Once(first) | Self::Often(first) => Self::Often(first),
        };
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{ACCEPT, HeaderName};

    use super::*;

    #[test]
    fn each_field_is_found_as_often_as_it_is_there() {
        let mut headers = HeaderMap::new();
        let mut append = |name: HeaderName, value| {
            headers.append(name, HeaderValue::from_static(value));
        };
        append(ACCEPT, "*/*");
        append(TRACEPARENT, "t");
        append(REQUEST_ID, "first");
        append(PREFER, "server-timing");
        append(REQUEST_ID, "second");
        append(PREFER, "return=minimal");
        let fields = Fields::of(&headers);
        assert_eq!(fields.host, Found::Nowhere);
        assert_eq!((fields.host.first(), fields.host.sole()), (None, None));
        assert_eq!(fields.traceparent.sole().unwrap(), "t");
        assert_eq!(fields.traceparent.first().unwrap(), "t");
        assert_eq!(fields.request_id.first().unwrap(), "first");
        assert_eq!(fields.request_id.sole(), None);
        assert!(fields.wants_timing);
    }
}
