//! What an item is, and which drafts of one are acceptable. Pure.

use std::collections::HashMap;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::members::Members;

/// Characters in a name.
pub(crate) const MAX_NAME: usize = 200;
/// Characters in a description.
pub(crate) const MAX_DESCRIPTION: usize = 10_000;
/// The largest price in cents: above 2^53 - 1 a JSON reader may round (RFC 8259, section 6).
pub(crate) const MAX_PRICE_CENTS: i64 = (1 << 53) - 1;

/// An item as it is stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Item {
    #[schema(minimum = 1)]
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) price_cents: i64,
    #[schema(minimum = 1)]
    /// 1 at first, one more with every change; ids are never used again, so id and version name one content.
    pub(crate) version: i64,
    pub(crate) updated_at: jiff::Timestamp,
}

/// The part of an item that a client writes.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    // Not blank, and without U+0000.
    #[schema(
        max_length = 200,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$",
        example = "Lamp"
    )]
    pub(crate) name: String,
    #[schema(
        required = false,
        max_length = 10000,
        pattern = r"^[^\x00]*$",
        example = "It gives light."
    )]
    pub(crate) description: String,
    #[schema(minimum = 0, maximum = 9007199254740991_i64, example = 1999)]
    pub(crate) price_cents: i64,
}

/// The key of an item; always positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ItemId(i64);

impl ItemId {
    /// The id in a path, or `None` where no item can have it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // `parse` alone would also take `+1` and `01`, two more addresses of one item.
        let has_one_spelling = text.starts_with(|first: char| ('1'..='9').contains(&first));
        let id = has_one_spelling.then(|| text.parse().ok())??;
        Some(Self(id))
    }

    /// The id of an item that PostgreSQL gave out.
    pub(crate) const fn stored(item: &Item) -> Self {
        Self(item.id)
    }

    pub(crate) const fn get(self) -> i64 {
        self.0
    }
}

/// What is kept by an item's id. Clients choose ids, so the hash depends on chance; the standard library's takes ten times as long.
pub(crate) type ById<T> = HashMap<i64, T, foldhash::fast::RandomState>;

/// An item's JSON as it goes to clients and into the cache, with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) version: i64,
    pub(crate) json: Bytes,
}

impl Document {
    /// # Errors
    ///
    /// When the item cannot be written as JSON, which its types rule out.
    pub(crate) fn of(item: &Item) -> Result<Self, serde_json::Error> {
        Ok(Self {
            version: item.version,
            json: serde_json::to_vec(item)?.into(),
        })
    }
}

/// Which versions a change may replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PriorVersion {
    Any,
    OneOf(Vec<i64>),
}

/// One thing that is wrong with a draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Invalid {
    /// What is wrong, for the client's author.
    pub(crate) detail: String,
    /// A JSON pointer in URI fragment form (RFC 6901, section 6), as in RFC 9457.
    pub(crate) pointer: String,
}

impl Invalid {
    fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            pointer: pointer.into(),
        }
    }

    fn at(member: &str, detail: &str) -> Self {
        Self::new(format!("#/{}", pointer_token(member)), detail)
    }
}

/// Parses a draft, or names everything that is wrong with it.
pub(crate) fn parse_draft(json: &[u8]) -> Result<Draft, Vec<Invalid>> {
    let Members { mut first, again } = serde_json::from_slice(json).map_err(|error| {
        let wrong = if error.is_data() {
            "must be an object".to_owned()
        } else {
            format!("is not JSON: {error}")
        };
        vec![Invalid::new("#", wrong)]
    })?;
    let mut invalid = Vec::new();
    for member in again.iter().take(10) {
        invalid.push(Invalid::at(member, "must be there once"));
    }
    let name = name(&mut first, &mut invalid);
    let description = description(&mut first, &mut invalid);
    let price_cents = price_cents(&mut first, &mut invalid);
    // At most a few are named: the body may hold thousands.
    for member in first.keys().take(10) {
        let wrong = "is not a member of an item; name, description and price_cents are";
        invalid.push(Invalid::at(member, wrong));
    }
    match (name, description, price_cents) {
        (Some(name), Some(description), Some(price_cents)) if invalid.is_empty() => Ok(Draft {
            name,
            description,
            price_cents,
        }),
        _ => Err(invalid),
    }
}

fn name(members: &mut Map<String, Value>, invalid: &mut Vec<Invalid>) -> Option<String> {
    let wrong = match members.remove("name") {
        None => "is missing".to_owned(),
        Some(Value::String(name)) if name.trim().is_empty() => "must not be blank".to_owned(),
        Some(Value::String(name)) => match text_problem(&name, MAX_NAME) {
            None => return Some(name),
            Some(problem) => problem,
        },
        Some(_) => "must be a string".to_owned(),
    };
    invalid.push(Invalid::new("#/name", wrong));
    None
}

fn description(members: &mut Map<String, Value>, invalid: &mut Vec<Invalid>) -> Option<String> {
    let wrong = match members.remove("description") {
        None => return Some(String::new()),
        Some(Value::String(text)) => match text_problem(&text, MAX_DESCRIPTION) {
            None => return Some(text),
            Some(problem) => problem,
        },
        Some(_) => "must be a string".to_owned(),
    };
    invalid.push(Invalid::new("#/description", wrong));
    None
}

fn price_cents(members: &mut Map<String, Value>, invalid: &mut Vec<Invalid>) -> Option<i64> {
    let wrong = match members.remove("price_cents") {
        None => "is missing".to_owned(),
        Some(value) => match whole(&value).filter(|cents| (0..=MAX_PRICE_CENTS).contains(cents)) {
            Some(cents) => return Some(cents),
            None => format!("must be a whole number from 0 to {MAX_PRICE_CENTS}"),
        },
    };
    invalid.push(Invalid::new("#/price_cents", wrong));
    None
}

/// A whole number, also where it is written with a fraction of zero: to JSON Schema `5.0` is an integer, and some clients write so.
fn whole(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    number.as_i64().or_else(|| {
        let number = number.as_f64()?;
        // Written in digits the conversion is exact, and what is no `i64` does not parse.
        (number.fract() == 0.0).then(|| format!("{number:.0}").parse().ok())?
    })
}

fn text_problem(text: &str, most: usize) -> Option<String> {
    if text.contains('\0') {
        // PostgreSQL's text cannot hold it.
        return Some("must not contain U+0000".to_owned());
    }
    (text.chars().count() > most).then(|| format!("must have at most {most} characters"))
}

/// Escapes a member's name for a pointer in a URI fragment, and shortens an absurd one.
fn pointer_token(member: &str) -> String {
    let mut token = String::new();
    for byte in member.bytes().take(64) {
        match byte {
            b'~' => token.push_str("~0"),
            b'/' => token.push_str("~1"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                token.push(char::from(byte));
            }
            other => token.push_str(&format!("%{other:02X}")),
        }
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(json: &str) -> Vec<String> {
        parse_draft(json.as_bytes())
            .unwrap_err()
            .into_iter()
            .map(|invalid| invalid.pointer)
            .collect()
    }

    #[test]
    fn a_draft_needs_a_name_and_a_price() {
        let draft = parse_draft(br#"{"name":"Lamp","price_cents":1999}"#).unwrap();
        assert_eq!(
            draft,
            Draft {
                name: "Lamp".into(),
                description: String::new(),
                price_cents: 1999
            }
        );
        assert_eq!(pointers("{}"), ["#/name", "#/price_cents"]);
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        let json = r#"{"name":" ","description":7,"price_cents":-1,"a/b~c d":1}"#;
        assert_eq!(
            pointers(json),
            ["#/name", "#/description", "#/price_cents", "#/a~1b~0c%20d"]
        );
    }

    #[test]
    fn a_member_that_is_there_again_is_refused() {
        let json =
            r#"{"name":"a","price_cents":1,"name":"a","x":1,"price_cents":2,"x":1,"name":"b"}"#;
        assert_eq!(pointers(json), ["#/name", "#/price_cents", "#/x", "#/x"]);
        let json = r#"{"name":"a","price_cents":1,"\u006eame":"b"}"#;
        assert_eq!(pointers(json), ["#/name"], "however it is written");
    }

    #[test]
    fn limits_are_inclusive() {
        let draft = |name: usize, price: i64| {
            let json = serde_json::json!({"name": "é".repeat(name), "price_cents": price});
            parse_draft(json.to_string().as_bytes())
        };
        assert!(draft(MAX_NAME, MAX_PRICE_CENTS).is_ok());
        assert!(draft(MAX_NAME + 1, 0).is_err());
        assert!(draft(1, MAX_PRICE_CENTS + 1).is_err());
    }

    #[test]
    fn a_price_is_whole_however_it_is_written() {
        let price = |text: &str| {
            let json = format!("{{\"name\":\"Lamp\",\"price_cents\":{text}}}");
            parse_draft(json.as_bytes()).map(|draft| draft.price_cents)
        };
        for (text, cents) in [("5", 5), ("5.0", 5), ("1e2", 100), ("-0.0", 0)] {
            assert_eq!(price(text), Ok(cents), "{text}");
        }
        for bad in [
            "5.5",
            "-1.0",
            "1e300",
            "9007199254740992.0",
            "\"5\"",
            "null",
        ] {
            assert!(price(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_an_object_is_refused_as_a_whole() {
        for json in ["", "{", "[]", "null", "\u{0}", "{\"name\":\"\\ud800\"}"] {
            assert_eq!(pointers(json), ["#"], "{json}");
        }
        assert_eq!(
            pointers(r#"{"name":"a\u0000","price_cents":1.5}"#),
            ["#/name", "#/price_cents"]
        );
    }

    #[test]
    fn an_id_has_one_spelling() {
        assert_eq!(ItemId::parse("1").map(ItemId::get), Some(1));
        for bad in ["", "0", "-1", "+1", "01", "1.0", "9223372036854775808", "a"] {
            assert_eq!(ItemId::parse(bad), None, "{bad}");
        }
    }
}
