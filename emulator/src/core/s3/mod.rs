//! S3: buckets of small objects, with writes that hold only on a condition. What is written is there for every read that
//! follows: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel>.

mod buckets;
mod conditions;
mod list;
mod objects;

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::{ApiError, Call, Cloud, Reply, input::Input};

/// S3's word for a bad parameter.
const CODE: &str = "InvalidArgument";

/// The account's buckets by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct S3 {
    buckets: BTreeMap<String, Bucket>,
}

#[derive(Debug, Clone)]
struct Bucket {
    created: Timestamp,
    /// By key.
    objects: BTreeMap<String, Object>,
}

#[derive(Debug, Clone)]
struct Object {
    /// Shared, as the whole model is copied for reads that lag behind.
    content: Arc<[u8]>,
    /// With its quotes.
    etag: String,
    content_type: String,
    modified: Timestamp,
}

impl Cloud {
    pub(super) fn s3(&mut self, call: &Call, now: Timestamp) -> Result<Reply, ApiError> {
        let input = &call.input;
        match call.operation.as_str() {
            "CreateBucket" => self.create_bucket(input, now),
            "HeadBucket" => self.head_bucket(input),
            "ListBuckets" => self.list_buckets(input),
            "DeleteBucket" => self.delete_bucket(input),
            "PutObject" => self.put_object(input, now),
            "GetObject" => self.get_object(input),
            "HeadObject" => self.head_object(input),
            "DeleteObject" => self.delete_object(input),
            "ListObjectsV2" => self.list_objects(input),
            other => Err(not_implemented(other)),
        }
    }

    /// The bucket that an input names, with its name.
    fn bucket(&self, input: &Input<'_>) -> Result<(&str, &Bucket), ApiError> {
        let name = self.bucket_name(input)?;
        let found = self.s3.buckets.get_key_value(name);
        found
            .map(|(name, bucket)| (name.as_str(), bucket))
            .ok_or_else(no_such_bucket)
    }

    fn bucket_mut(&mut self, input: &Input<'_>) -> Result<&mut Bucket, ApiError> {
        let name = self.bucket_name(input)?;
        self.s3.buckets.get_mut(name).ok_or_else(no_such_bucket)
    }

    /// The input's `Bucket`; all buckets are this account's.
    fn bucket_name<'a>(&self, input: &Input<'a>) -> Result<&'a str, ApiError> {
        match input.text("ExpectedBucketOwner")? {
            Some(owner) if owner != self.ids.account => {
                Err(error(403, "AccessDenied", "Access Denied"))
            }
            Some(_) | None => input.need("Bucket"),
        }
    }
}

fn error(status: u16, code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError {
        status,
        code,
        message: message.into(),
    }
}

fn no_such_bucket() -> ApiError {
    error(404, "NoSuchBucket", "The specified bucket does not exist")
}

/// What S3 has and the emulator does not.
fn not_implemented(what: &str) -> ApiError {
    let message = format!("The emulator does not support {what}.");
    error(501, "NotImplemented", message)
}
