//! Where in the listing a client is. Pure.

use super::failure::Failure;

/// Items on a page when the client names no number.
pub(crate) const DEFAULT_LIMIT: i64 = 20;
/// Items on a page at most.
pub(crate) const MAX_LIMIT: i64 = 100;

/// A page of the listing: at most `limit` items with an id above `after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) after: i64,
    pub(crate) limit: i64,
}

impl Page {
    /// Parses a query string; what it does not know is refused, so that a typing error does not look like a full listing.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, Failure> {
        let mut limit = None;
        let mut after = None;
        for pair in query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (slot, range) = match name {
                "limit" => (&mut limit, 1..=MAX_LIMIT),
                "cursor" => (&mut after, 0..=i64::MAX),
                _ => {
                    return Err(Failure::Query(
                        "the query may hold limit and cursor alone".to_owned(),
                    ));
                }
            };
            // `parse` alone would also take a sign.
            let is_digits = value.bytes().all(|byte| byte.is_ascii_digit());
            let number = value.parse().ok().filter(|_| is_digits);
            let number = number.filter(|number| range.contains(number));
            let number = number.ok_or_else(|| {
                Failure::Query(match name {
                    "limit" => format!("limit must be a number from 1 to {MAX_LIMIT}"),
                    _ => "cursor must be one that a listing's Link header gave".to_owned(),
                })
            })?;
            if slot.replace(number).is_some() {
                return Err(Failure::Query(format!("{name} is given twice")));
            }
        }
        Ok(Self {
            after: after.unwrap_or(0),
            limit: limit.unwrap_or(DEFAULT_LIMIT),
        })
    }

    /// The `Link` header's value for the page that follows the item `last`.
    pub(crate) fn link_to_next(self, last: i64) -> String {
        format!("</items?limit={}&cursor={last}>; rel=\"next\"", self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_defaults_and_bounds() {
        let page = |query| Page::parse(query).ok();
        let first = Page {
            after: 0,
            limit: 20,
        };
        assert_eq!(page(None), Some(first));
        assert_eq!(page(Some("")), Some(first));
        assert_eq!(
            page(Some("cursor=7&limit=100")),
            Some(Page {
                after: 7,
                limit: 100
            })
        );
        for bad in [
            "limit=0",
            "limit=101",
            "limit",
            "limit=x",
            "limit=+1",
            "cursor=-1",
            "cursor=",
            "page=2",
            "limit=1&limit=2",
        ] {
            assert_eq!(page(Some(bad)), None, "{bad}");
        }
    }

    #[test]
    fn the_next_page_is_one_that_parses() {
        let page = Page { after: 0, limit: 5 };
        let link = page.link_to_next(9);
        assert_eq!(link, "</items?limit=5&cursor=9>; rel=\"next\"");
        let query = link.split(['?', '>']).nth(1);
        assert_eq!(Page::parse(query).ok(), Some(Page { after: 9, limit: 5 }));
    }
}
