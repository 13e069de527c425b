//! Objects of S3: reading, listing, and writing on a condition.

use std::{fmt, str::FromStr, time::Duration};

use aws_sdk_s3::{primitives::ByteStream, types::Object as Listed};
use bytes::Bytes;

use crate::aws::{Aws, AwsError, Class, Operation};

/// The longest that an object's content may take to arrive. The SDK's own limits end with the head of the answer.
const BODY_WITHIN: Duration = Duration::from_secs(15);

/// `s3://BUCKET/KEY`. The key may be that of an object, or what several begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Url {
    /// The bucket's name.
    pub bucket: String,
    /// Without a slash at its beginning or end.
    pub key: String,
}

/// Why a text is no such URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum S3UrlError {
    /// Another scheme, or none.
    #[error("it is s3://BUCKET/KEY")]
    Scheme,
    /// Not a name that a bucket can have.
    #[error(
        "it is s3://BUCKET/KEY, and a bucket's name is 3 to 63 lower-case letters, digits, dots and hyphens"
    )]
    Bucket,
    /// The bucket alone.
    #[error("it is s3://BUCKET/KEY, and the key is missing")]
    NoKey,
    /// Not a key that we take.
    #[error(
        "a key is parts of letters, digits and `-_.`, with `/` between them, and no part is `.` or `..`"
    )]
    Key,
}

impl FromStr for S3Url {
    type Err = S3UrlError;

    /// Bucket names: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>. Of keys only the
    /// plain ones are taken, which mean the same in URLs, on command lines and in policies.
    fn from_str(text: &str) -> Result<Self, S3UrlError> {
        let rest = text.strip_prefix("s3://").ok_or(S3UrlError::Scheme)?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let is_of_bucket =
            |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'.';
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(is_of_bucket) {
            return Err(S3UrlError::Bucket);
        }
        let key = key.strip_suffix('/').unwrap_or(key);
        if key.is_empty() {
            return Err(S3UrlError::NoKey);
        }
        if key.len() > 512 || !key.split('/').all(is_plain) {
            return Err(S3UrlError::Key);
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }
}

/// Whether a part of a key is one that we take.
pub fn is_plain(part: &str) -> bool {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    !part.is_empty() && part != "." && part != ".." && part.bytes().all(is_plain)
}

impl fmt::Display for S3Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl S3Url {
    /// The object of this name below it.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        Self {
            bucket: self.bucket.clone(),
            key: format!("{}/{name}", self.key),
        }
    }
}

/// An object that a listing names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key, without what was listed and the slash after it.
    pub name: String,
    /// Another content has another one.
    pub etag: String,
    /// Bytes.
    pub size: u64,
}

/// An object's content.
#[derive(Debug, Clone)]
pub struct Object {
    /// Another content has another one.
    pub etag: String,
    /// The content.
    pub bytes: Bytes,
}

/// What must be so for an object to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnlyIf<'a> {
    /// There is none.
    Absent,
    /// It is the one with this ETag.
    Is(&'a str),
}

/// What became of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It was written, and has this ETag now.
    Written(String),
    /// The condition did not hold: somebody else has written.
    Refused,
}

impl Aws {
    /// Every object directly below a prefix, in the order of their names.
    ///
    /// # Errors
    /// When a page is not told, or there are more than `most` objects (the code is `too_many`).
    pub async fn list_objects(&self, prefix: &S3Url, most: usize) -> Result<Vec<Entry>, AwsError> {
        let operation = Operation::LIST_OBJECTS;
        let start = format!("{}/", prefix.key);
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        let mut listed = 0;
        loop {
            let request = self.clients.s3.list_objects_v2();
            let request = request
                .bucket(&prefix.bucket)
                .prefix(&start)
                .delimiter("/")
                .set_continuation_token(token);
            let page = self.call(operation, request.send()).await?;
            listed += page.contents().len() + page.common_prefixes().len();
            for object in page.contents() {
                let entry = entry(object, &start).ok_or_else(|| AwsError::unreadable(operation))?;
                // What the console makes to show a folder.
                if !entry.name.is_empty() {
                    found.push(entry);
                }
            }
            if listed > most {
                return Err(AwsError {
                    class: Class::Invalid,
                    code: "too_many".to_owned(),
                    message: format!("there are more than {most} objects and folders in {prefix}"),
                    ..AwsError::unreadable(operation)
                });
            }
            token = match (page.is_truncated(), page.next_continuation_token()) {
                (Some(true), Some(token)) => Some(token.to_owned()),
                (Some(true), None) => return Err(AwsError::unreadable(operation)),
                (Some(false) | None, _) => return Ok(found),
            };
        }
    }

    /// An object's content; `None` when there is no such object.
    ///
    /// # Errors
    /// When it cannot be had, or has more than `most` bytes (the code is `too_large`).
    pub async fn get_object(&self, url: &S3Url, most: usize) -> Result<Option<Object>, AwsError> {
        let operation = Operation::GET_OBJECT;
        let request = self.clients.s3.get_object();
        let request = request.bucket(&url.bucket).key(&url.key);
        let answer = match self.call(operation, request.send()).await {
            Ok(answer) => answer,
            Err(error) if error.code == "NoSuchKey" => return Ok(None),
            Err(error) => return Err(error),
        };
        let failed = |code: &str, class, message| AwsError {
            class,
            code: code.to_owned(),
            message,
            ..AwsError::unreadable(operation)
        };
        let too_large = || {
            let message = format!("{url} has more than {most} bytes");
            failed("too_large", Class::Invalid, message)
        };
        let etag = answer.e_tag.unwrap_or_default();
        if etag.is_empty() {
            return Err(AwsError::unreadable(operation));
        }
        let length = answer.content_length.and_then(|n| usize::try_from(n).ok());
        if length.is_none_or(|length| length > most) {
            return Err(too_large());
        }
        match tokio::time::timeout(BODY_WITHIN, answer.body.collect()).await {
            Ok(Ok(body)) => Ok(Some(Object {
                etag,
                bytes: body.into_bytes(),
            })),
            Ok(Err(error)) => Err(failed(
                "no_answer",
                Class::Transient,
                format!("the content of {url} broke off: {error}"),
            )),
            Err(_) => Err(failed(
                "timeout",
                Class::Unreachable,
                format!("the content of {url} did not come in time"),
            )),
        }
    }

    /// Writes an object, if the condition holds: one attempt
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
    ///
    /// # Errors
    /// As S3 says. After [`Class::Unreachable`] it may have been written.
    pub async fn put_object(
        &self,
        url: &S3Url,
        content: &'static str,
        bytes: Bytes,
        only_if: OnlyIf<'_>,
    ) -> Result<Put, AwsError> {
        let operation = Operation::PUT_OBJECT;
        let request = self.clients.s3_writes.put_object();
        let request = request
            .bucket(&url.bucket)
            .key(&url.key)
            .content_type(content)
            .body(ByteStream::from(bytes));
        let request = match only_if {
            OnlyIf::Absent => request.if_none_match("*"),
            OnlyIf::Is(etag) => request.if_match(etag),
        };
        match self.call(operation, request.send()).await {
            Ok(answer) => match answer.e_tag {
                Some(etag) => Ok(Put::Written(etag)),
                None => Err(AwsError::unreadable(operation)),
            },
            // 412, two writers at once (409), and what was to be replaced is gone (404).
            Err(error)
                if [
                    "PreconditionFailed",
                    "ConditionalRequestConflict",
                    "NoSuchKey",
                ]
                .contains(&error.code.as_str()) =>
            {
                Ok(Put::Refused)
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes an object, whatever it holds; one that is not there is no error.
    ///
    /// # Errors
    /// As S3 says.
    pub async fn delete_object(&self, url: &S3Url) -> Result<(), AwsError> {
        let request = self.clients.s3_writes.delete_object();
        let request = request.bucket(&url.bucket).key(&url.key);
        self.call(Operation::DELETE_OBJECT, request.send())
            .await
            .map(|_| ())
    }
}

fn entry(listed: &Listed, start: &str) -> Option<Entry> {
    Some(Entry {
        name: listed.key()?.strip_prefix(start)?.to_owned(),
        etag: listed.e_tag()?.to_owned(),
        size: listed.size()?.try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_plain_and_lead_nowhere_else() {
        let url: S3Url = "s3://a-bucket.1/prod/manifests/".parse().unwrap();
        assert_eq!(url.to_string(), "s3://a-bucket.1/prod/manifests");
        assert_eq!(url.beside("api.yaml").key, "prod/manifests/api.yaml");
        for (text, error) in [
            ("manifests", S3UrlError::Scheme),
            ("http://bucket/key", S3UrlError::Scheme),
            ("s3://", S3UrlError::Bucket),
            ("s3://Bucket/key", S3UrlError::Bucket),
            ("s3://ab/key", S3UrlError::Bucket),
            ("s3://bucket", S3UrlError::NoKey),
            ("s3://bucket/", S3UrlError::NoKey),
            ("s3://bucket//key", S3UrlError::Key),
            ("s3://bucket/../key", S3UrlError::Key),
            ("s3://bucket/a/./b", S3UrlError::Key),
            ("s3://bucket/a b", S3UrlError::Key),
            ("s3://bucket/a?b", S3UrlError::Key),
        ] {
            assert_eq!(text.parse::<S3Url>(), Err(error), "{text}");
        }
    }
}
