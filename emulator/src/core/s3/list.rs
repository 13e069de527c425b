//! `ListObjectsV2`: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>.

use std::ops::Bound;

use serde_json::{Map, Value, json};

use super::{Bucket, CODE, Object};
use crate::core::{ApiError, Cloud, Reply, input::Input, time::iso};

/// More than that is never in one page, whatever is asked for.
const MAX: usize = 1_000;

/// What one line of a listing stands for.
#[derive(Debug)]
enum Found<'a> {
    Object(&'a str, &'a Object),
    /// All keys that begin so.
    Prefix(&'a str),
}

impl Found<'_> {
    /// What lines are sorted by.
    fn name(&self) -> &str {
        match self {
            Self::Object(name, _) | Self::Prefix(name) => name,
        }
    }
}

impl Cloud {
    pub(super) fn list_objects(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = [
            "Bucket",
            "Prefix",
            "Delimiter",
            "MaxKeys",
            "ContinuationToken",
            "StartAfter",
            "EncodingType",
            "ExpectedBucketOwner",
        ];
        let input = Input::new(input, CODE, &members)?;
        if input.text("EncodingType")?.is_some_and(|it| it != "url") {
            return Err(input.error("Invalid Encoding Method specified in Request"));
        }
        let most = most(&input)?;
        let token = input.text("ContinuationToken")?;
        let after = token.map(|token| {
            let wrong = || input.error("The continuation token provided is incorrect");
            decode(token).ok_or_else(wrong)
        });
        let after = after.transpose()?;
        let (name, bucket) = self.bucket(&input)?;
        let (page, rest) = page(&input, bucket, after.as_deref(), most)?;

        let mut reply = Map::new();
        reply.insert("Name".to_owned(), json!(name));
        reply.insert(
            "Prefix".to_owned(),
            json!(input.text("Prefix")?.unwrap_or_default()),
        );
        for echoed in [
            "Delimiter",
            "ContinuationToken",
            "StartAfter",
            "EncodingType",
        ] {
            if let Some(value) = input.value(echoed) {
                reply.insert(echoed.to_owned(), value.clone());
            }
        }
        reply.insert("MaxKeys".to_owned(), json!(most));
        reply.insert("KeyCount".to_owned(), json!(page.len()));
        reply.insert("IsTruncated".to_owned(), json!(rest));
        if let (true, Some(last)) = (rest, page.last()) {
            let token = hex::encode(last.name());
            reply.insert("NextContinuationToken".to_owned(), json!(token));
        }
        let (mut contents, mut prefixes) = (Vec::new(), Vec::new());
        for found in page {
            match found {
                Found::Object(key, object) => contents.push(view(key, object)),
                Found::Prefix(prefix) => prefixes.push(json!({ "Prefix": prefix })),
            }
        }
        // Both are left out when they are empty.
        for (name, list) in [("Contents", contents), ("CommonPrefixes", prefixes)] {
            if !list.is_empty() {
                reply.insert(name.to_owned(), Value::Array(list));
            }
        }
        Ok(Value::Object(reply))
    }
}

/// The lines after `after`, at most so many, and whether there are more.
fn page<'a>(
    input: &Input<'_>,
    bucket: &'a Bucket,
    after: Option<&str>,
    most: usize,
) -> Result<(Vec<Found<'a>>, bool), ApiError> {
    let prefix = input.text("Prefix")?.unwrap_or_default();
    let delimiter = input.text("Delimiter")?.filter(|it| !it.is_empty());
    // Only the first page begins there: a token says where it goes on.
    let start = input.text("StartAfter")?.filter(|_| after.is_none());
    let mut page: Vec<Found<'a>> = Vec::new();
    let keys = bucket
        .objects
        .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
        .take_while(|(key, _)| key.starts_with(prefix))
        .filter(|(key, _)| start.is_none_or(|start| key.as_str() > start));
    for (key, object) in keys {
        let found =
            common(key, prefix, delimiter).map_or(Found::Object(key, object), Found::Prefix);
        let is_old = after.is_some_and(|after| found.name() <= after);
        if is_old || page.last().is_some_and(|last| last.name() == found.name()) {
            continue;
        }
        if page.len() == most {
            return Ok((page, most > 0));
        }
        page.push(found);
    }
    Ok((page, false))
}

/// What a key is rolled up into: up to the first delimiter after the prefix.
fn common<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter?;
    let at = key.get(prefix.len()..)?.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

fn most(input: &Input<'_>) -> Result<usize, ApiError> {
    let wrong =
        || input.error("Provided max-keys not an integer or within integer range: 0 or more");
    let asked = input.int("MaxKeys").map_err(|_| wrong())?;
    asked.map_or(Ok(MAX), |asked| {
        let asked = i32::try_from(asked).map_err(|_| wrong())?;
        usize::try_from(asked)
            .map_err(|_| wrong())
            .map(|asked| asked.min(MAX))
    })
}

fn decode(token: &str) -> Option<String> {
    let name = String::from_utf8(hex::decode(token).ok()?).ok()?;
    (!name.is_empty()).then_some(name)
}

fn view(key: &str, object: &Object) -> Value {
    json!({
        "Key": key,
        "LastModified": iso(object.modified),
        "ETag": object.etag,
        "Size": object.content.len(),
        "StorageClass": "STANDARD",
    })
}
