//! Entity tags and the conditions on them (RFC 9110, sections 8.8.3 and 13.1). Pure.
//!
//! A tag is the item's version in quotes; it is strong, because a version has one representation.

use hyper::HeaderMap;
use hyper::header::{HeaderValue, IF_MATCH, IF_NONE_MATCH};

use super::text::Text;
use crate::items::PriorVersion;

/// The tag of a version: 19 digits, a sign and two quotes at most.
pub(crate) fn etag(version: i64) -> Text<22> {
    Text::new().and("\"").number(version).and("\"")
}

/// Whether `If-None-Match` names this version, so that the client has it already.
pub(crate) fn is_known(headers: &HeaderMap, version: i64) -> bool {
    let known = headers.get_all(IF_NONE_MATCH);
    elements(known.iter()).any(|element| {
        // The comparison is weak here.
        element == "*" || element.strip_prefix("W/").unwrap_or(element) == etag(version).as_str()
    })
}

/// The versions that `If-Match` allows a change to replace. A tag that is none of ours matches nothing. With `If-None-Match: *` the
/// change is for an item that is not there, so it replaces none.
pub(crate) fn prior_version(headers: &HeaderMap) -> PriorVersion {
    if elements(headers.get_all(IF_NONE_MATCH).iter()).any(|element| element == "*") {
        return PriorVersion::OneOf(Vec::new());
    }
    if !headers.contains_key(IF_MATCH) {
        return PriorVersion::Any;
    }
    let elements: Vec<_> = elements(headers.get_all(IF_MATCH).iter()).collect();
    if elements.contains(&"*") {
        return PriorVersion::Any;
    }
    // The comparison is strong here, character by character: a weak tag never matches, nor does a number written otherwise.
    let versions = elements.iter().filter_map(|element| {
        let version = element.strip_prefix('"')?.strip_suffix('"')?.parse().ok()?;
        (etag(version).as_str() == *element).then_some(version)
    });
    PriorVersion::OneOf(versions.collect())
}

/// The elements of a list of tags. Ours hold no comma, so a foreign tag that does is cut into pieces that match nothing.
fn elements<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> impl Iterator<Item = &'a str> {
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_known_version_is_recognised() {
        for known in [&["\"3\""][..], &["W/\"3\""], &["\"1\", \"3\""], &["*"]] {
            assert!(is_known(&headers(IF_NONE_MATCH, known), 3), "{known:?}");
        }
        for unknown in [&[][..], &["\"4\""], &["3"], &["\"3"]] {
            assert!(
                !is_known(&headers(IF_NONE_MATCH, unknown), 3),
                "{unknown:?}"
            );
        }
    }

    #[test]
    fn if_match_names_versions() {
        let prior = |values: &[&str]| prior_version(&headers(IF_MATCH, values));
        assert_eq!(prior(&[]), PriorVersion::Any);
        assert_eq!(prior(&["*"]), PriorVersion::Any);
        assert_eq!(
            prior(&["\"3\", \"5\"", "\"7\""]),
            PriorVersion::OneOf(vec![3, 5, 7])
        );
        let none = headers(IF_NONE_MATCH, &["*"]);
        assert_eq!(prior_version(&none), PriorVersion::OneOf(vec![]));
        for foreign in ["W/\"3\", x", "\"+3\"", "\"03\"", "3", "\"3", ""] {
            assert_eq!(prior(&[foreign]), PriorVersion::OneOf(vec![]), "{foreign}");
        }
    }
}
