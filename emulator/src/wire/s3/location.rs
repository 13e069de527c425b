//! The one document that is read: `CreateBucketConfiguration`, and of it the one element that means anything here.

use super::{error, not_implemented};
use crate::core::ApiError;

/// The `LocationConstraint`, if there is one. Anything that is not just that document is refused, so that no parser of XML
/// is needed.
pub(super) fn read(document: &[u8]) -> Result<Option<String>, ApiError> {
    let text = std::str::from_utf8(document).map_err(|_| malformed())?;
    let mut text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.starts_with("<?xml") {
        let (_, rest) = text.split_once("?>").ok_or_else(malformed)?;
        text = rest.trim_start();
    }
    let Some(inner) = content(text, "CreateBucketConfiguration")? else {
        return Err(malformed());
    };
    if inner.is_empty() {
        return Ok(None);
    }
    let location = content(inner, "LocationConstraint")?
        .ok_or_else(|| not_implemented("CreateBucketConfiguration but its LocationConstraint"))?;
    let is_name = location
        .bytes()
        .all(|c| c.is_ascii_alphanumeric() || c == b'-');
    if !is_name {
        return Err(malformed());
    }
    Ok((!location.is_empty()).then(|| location.to_owned()))
}

/// What is in an element that must be all of the text; `None` when it begins with another one.
fn content<'a>(text: &'a str, name: &str) -> Result<Option<&'a str>, ApiError> {
    let Some(rest) = text.strip_prefix('<').and_then(|it| it.strip_prefix(name)) else {
        return Ok(None);
    };
    let (attributes, rest) = rest.split_once('>').ok_or_else(malformed)?;
    if !attributes.is_empty() && !attributes.starts_with([' ', '\t', '\r', '\n', '/']) {
        return Ok(None);
    }
    if attributes.ends_with('/') && rest.is_empty() {
        return Ok(Some(""));
    }
    let inner = rest
        .strip_suffix('>')
        .and_then(|it| it.trim_end().strip_suffix(name))
        .and_then(|it| it.strip_suffix("</"));
    inner.map(|it| Some(it.trim())).ok_or_else(malformed)
}

fn malformed() -> ApiError {
    error(
        400,
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn the_location_is_found_in_what_clients_send() {
        let space = r#"xmlns="http://s3.amazonaws.com/doc/2006-03-01/""#;
        let inner = "<LocationConstraint>eu-central-1</LocationConstraint>";
        for document in [
            format!("<CreateBucketConfiguration {space}>{inner}</CreateBucketConfiguration>"),
            format!(
                "<?xml version=\"1.0\"?>\n<CreateBucketConfiguration>\n  {inner}\n</CreateBucketConfiguration>\n"
            ),
        ] {
            let found = read(document.as_bytes()).unwrap();
            assert_eq!(found.as_deref(), Some("eu-central-1"), "{document}");
        }
        for nothing in [
            "",
            " ",
            "<CreateBucketConfiguration/>",
            "<CreateBucketConfiguration></CreateBucketConfiguration>",
        ] {
            assert_eq!(read(nothing.as_bytes()).unwrap(), None, "{nothing}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for (document, code) in [
            ("x", "MalformedXML"),
            ("<?xml", "MalformedXML"),
            ("<CreateBucketConfiguration>", "MalformedXML"),
            ("<CreateBucketConfigurations/>", "MalformedXML"),
            ("<Delete/>", "MalformedXML"),
            (
                "<CreateBucketConfiguration><LocationConstraint>a<b/></LocationConstraint></CreateBucketConfiguration>",
                "MalformedXML",
            ),
            (
                "<CreateBucketConfiguration><Tags/></CreateBucketConfiguration>",
                "NotImplemented",
            ),
        ] {
            assert_eq!(
                read(document.as_bytes()).unwrap_err().code,
                code,
                "{document}"
            );
        }
        assert!(read(b"\xff").is_err());
    }
}
