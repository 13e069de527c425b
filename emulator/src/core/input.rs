//! Reading an operation's input. A member that is not accepted is an error, never ignored.

use serde_json::{Map, Value};

use super::{ApiError, error::fault};

/// An object of the input whose members have all been checked to be known.
#[derive(Debug, Clone)]
pub(crate) struct Input<'a> {
    map: Option<&'a Map<String, Value>>,
    path: String,
    code: &'static str,
}

impl<'a> Input<'a> {
    /// Accepts an object that has no members but these. `null` and absent are the same.
    ///
    /// # Errors
    /// `code` when it is no object or has an unknown member; the message names both.
    pub(crate) fn new(
        value: &'a Value,
        code: &'static str,
        members: &[&str],
    ) -> Result<Self, ApiError> {
        Self::at(value, code, String::new(), members)
    }

    fn at(
        value: &'a Value,
        code: &'static str,
        path: String,
        members: &[&str],
    ) -> Result<Self, ApiError> {
        let map = match value {
            Value::Null => None,
            Value::Object(map) => Some(map),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(mistyped(&path, "an object"));
            }
        };
        let input = Self { map, path, code };
        for key in map.iter().flat_map(|map| map.keys()) {
            if !members.contains(&key.as_str()) {
                let known = members.join(", ");
                return Err(input.error(format!(
                    "Unknown parameter in input: \"{}\", must be one of: {known}",
                    input.name(key)
                )));
            }
        }
        Ok(input)
    }

    /// This operation's error for a bad input.
    pub(crate) fn error(&self, message: impl Into<String>) -> ApiError {
        fault(self.code, message)
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The member as it is; `None` when absent or `null`.
    pub(crate) fn value(&self, key: &str) -> Option<&'a Value> {
        self.map?.get(key).filter(|value| !value.is_null())
    }

    /// A string.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, ApiError> {
        self.value(key)
            .map(|value| {
                value
                    .as_str()
                    .ok_or_else(|| mistyped(&self.name(key), "a string"))
            })
            .transpose()
    }

    /// A string that must be there and not be empty.
    pub(crate) fn need(&self, key: &str) -> Result<&'a str, ApiError> {
        self.text(key)?
            .filter(|text| !text.is_empty())
            .ok_or_else(|| self.error(format!("{} should not be null or empty.", self.name(key))))
    }

    /// An integer; digits in a string are one too, as the Query protocol has nothing else.
    pub(crate) fn int(&self, key: &str) -> Result<Option<i64>, ApiError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        value
            .as_i64()
            .or_else(|| value.as_str()?.parse().ok())
            .map(Some)
            .ok_or_else(|| mistyped(&self.name(key), "an integer"))
    }

    /// An integer within bounds, both included.
    pub(crate) fn int_in(&self, key: &str, low: i64, high: i64) -> Result<Option<i64>, ApiError> {
        match self.int(key)? {
            Some(value) if value < low || value > high => Err(self.error(format!(
                "{} must be between {low} and {high}, but is {value}.",
                self.name(key)
            ))),
            value => Ok(value),
        }
    }

    /// A boolean; its text is one too.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, ApiError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        value
            .as_bool()
            .or_else(|| value.as_str()?.parse().ok())
            .map(Some)
            .ok_or_else(|| mistyped(&self.name(key), "a boolean"))
    }

    /// A list; `None` when absent.
    pub(crate) fn list(&self, key: &str) -> Result<Option<&'a [Value]>, ApiError> {
        self.value(key)
            .map(|value| {
                // The Query protocol writes an empty list as `Targets=`.
                if value.as_str() == Some("") {
                    return Ok(&[] as &[Value]);
                }
                value
                    .as_array()
                    .map(Vec::as_slice)
                    .ok_or_else(|| mistyped(&self.name(key), "a list"))
            })
            .transpose()
    }

    /// A list of strings, empty when absent.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<&'a str>, ApiError> {
        self.list(key)?
            .unwrap_or_default()
            .iter()
            .map(|value| {
                value
                    .as_str()
                    .ok_or_else(|| mistyped(&self.name(key), "a list of strings"))
            })
            .collect()
    }

    /// A member object.
    pub(crate) fn object(
        &self,
        key: &str,
        members: &[&str],
    ) -> Result<Option<Input<'a>>, ApiError> {
        self.value(key)
            .map(|value| Self::at(value, self.code, self.name(key), members))
            .transpose()
    }

    /// A list of objects, empty when absent.
    pub(crate) fn objects(&self, key: &str, members: &[&str]) -> Result<Vec<Input<'a>>, ApiError> {
        self.list(key)?
            .unwrap_or_default()
            .iter()
            .enumerate()
            .map(|(at, value)| {
                let path = format!("{}[{at}]", self.name(key));
                Self::at(value, self.code, path, members)
            })
            .collect()
    }

    /// Refuses members that AWS has and the emulator does not, unless they say nothing.
    pub(crate) fn refuse(&self, keys: &[&str]) -> Result<(), ApiError> {
        for key in keys {
            let said = match self.value(key) {
                None | Some(Value::Bool(false)) => false,
                Some(Value::Array(list)) => !list.is_empty(),
                Some(Value::Object(map)) => !map.is_empty(),
                Some(Value::Null | Value::Bool(true) | Value::Number(_) | Value::String(_)) => true,
            };
            if said {
                return Err(
                    self.error(format!("The emulator does not support {}.", self.name(key)))
                );
            }
        }
        Ok(())
    }

    /// One of the words; ECS's error otherwise.
    pub(crate) fn word(&self, key: &str, words: &[&str]) -> Result<Option<&'a str>, ApiError> {
        match self.text(key)? {
            Some(text) if !words.contains(&text) => Err(self.error(format!(
                "{} should be one of [{}]",
                self.name(key),
                words.join(",")
            ))),
            text => Ok(text),
        }
    }
}

fn mistyped(path: &str, wanted: &str) -> ApiError {
    fault(
        "SerializationException",
        format!("The input's {path} must be {wanted}."),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_list_of_the_query_protocol_is_a_list() {
        let value = json!({"Targets": "", "Names": "a"});
        let input = Input::new(&value, "ValidationError", &["Targets", "Names", "Absent"]).unwrap();
        assert_eq!(input.list("Targets").unwrap(), Some(&[] as &[Value]));
        assert!(input.list("Names").is_err());
        assert_eq!(input.list("Absent").unwrap(), None);
    }
}
