//! Pages of a list, with opaque tokens that survive the coming and going of items.

use serde_json::Value;

use super::{ApiError, input::Input};

/// The names that a service gives to paging's members.
pub(crate) struct Paging {
    pub(crate) token: &'static str,
    pub(crate) limit: &'static str,
    pub(crate) default: usize,
    pub(crate) max: usize,
}

/// A page and the token of the next one.
pub(crate) type Page<T> = (Vec<T>, Option<String>);

impl Paging {
    /// Cuts the page that the input asks for out of `items`, whose keys ascend.
    ///
    /// # Errors
    /// A token that is not ours, or a limit out of bounds.
    pub(crate) fn cut<T>(
        &self,
        input: &Input<'_>,
        items: impl IntoIterator<Item = (String, T)>,
    ) -> Result<Page<T>, ApiError> {
        let after = match input.text(self.token)? {
            Some(token) => Some(decode(token).ok_or_else(|| input.error("Invalid token."))?),
            None => None,
        };
        let limit = match input.int(self.limit)? {
            None => self.default,
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|limit| (1..=self.max).contains(limit))
                .ok_or_else(|| {
                    if limit < 1 {
                        input.error("Max results can not be less than 1")
                    } else {
                        input.error(format!("Max results can not be greater than {}", self.max))
                    }
                })?,
        };
        let mut rest = items
            .into_iter()
            .filter(|(key, _)| after.as_ref().is_none_or(|after| key > after))
            .peekable();
        let mut page = Vec::new();
        let mut last = None;
        while page.len() < limit
            && let Some((key, item)) = rest.next()
        {
            page.push(item);
            last = Some(key);
        }
        let next = rest.peek().and(last).map(hex::encode);
        Ok((page, next))
    }
}

fn decode(token: &str) -> Option<String> {
    String::from_utf8(hex::decode(token).ok()?).ok()
}

/// A key that sorts the other way round.
pub(crate) fn flipped(key: &str) -> String {
    hex::encode(key)
        .bytes()
        .map(|byte| char::from(0x7f - (byte & 0x7f)))
        .chain(['\u{7f}'])
        .collect()
}

/// Adds the token of the next page, when there is one.
pub(crate) fn with_token(mut reply: Value, next: Option<String>) -> Value {
    if let (Some(next), Some(map)) = (next, reply.as_object_mut()) {
        map.insert("nextToken".to_owned(), Value::from(next));
    }
    reply
}
