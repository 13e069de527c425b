//! Objects: put, got, looked at, deleted. `Body` is Base64, as a blob is in JSON.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::{
    CODE, Object,
    conditions::{check_read, check_write, no_such_key},
    error,
};
use crate::core::{ApiError, Cloud, Reply, input::Input, time::iso};

/// The longest content; S3's is 5 GB in one part.
const CONTENT: usize = 5 * 1024 * 1024;
/// Of all buckets.
const OBJECTS: usize = 10_000;
/// Of all objects' contents.
const BYTES: usize = 64 * 1024 * 1024;
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
const KEY: usize = 1_024;

impl Cloud {
    pub(super) fn put_object(&mut self, input: &Value, now: Timestamp) -> Result<Reply, ApiError> {
        let members = [
            "Bucket",
            "Key",
            "Body",
            "ContentType",
            "IfMatch",
            "IfNoneMatch",
            "ExpectedBucketOwner",
        ];
        let input = Input::new(input, CODE, &members)?;
        let content_type = input.text("ContentType")?;
        let body = input.text("Body")?.unwrap_or_default();
        let content = STANDARD.decode(body);
        let content = content.map_err(|_| input.error("Body must be Base64."))?;
        let key = key(&input)?;
        let (_, bucket) = self.bucket(&input)?;
        let present = bucket.objects.get(key);
        check_write(&input, present)?;
        self.check_room(&content, present)?;
        let object = Object {
            etag: format!("\"{}\"", hex::encode(Md5::digest(&content))),
            content: content.into(),
            content_type: content_type.unwrap_or("binary/octet-stream").to_owned(),
            modified: now,
        };
        let reply = json!({ "ETag": object.etag });
        let objects = &mut self.bucket_mut(&input)?.objects;
        objects.insert(key.to_owned(), object);
        Ok(reply)
    }

    /// Whether a content may take the place of another, or of none.
    fn check_room(&self, content: &[u8], present: Option<&Object>) -> Result<(), ApiError> {
        if content.len() > CONTENT {
            let message = "Your proposed upload exceeds the maximum allowed size";
            return Err(error(400, "EntityTooLarge", message));
        }
        let objects = || self.s3.buckets.values().flat_map(|it| it.objects.values());
        let bytes: usize = objects().map(|object| object.content.len()).sum();
        let replaced = present.map_or(0, |object| object.content.len());
        if bytes - replaced + content.len() > BYTES
            || (present.is_none() && objects().count() >= OBJECTS)
        {
            return Err(error(
                400,
                "InvalidRequest",
                "The emulator holds at most 10000 objects and 64 MiB of content.",
            ));
        }
        Ok(())
    }

    pub(super) fn get_object(&self, input: &Value) -> Result<Reply, ApiError> {
        let object = self.read_object(input)?;
        let mut reply = view(object);
        if let Some(reply) = reply.as_object_mut() {
            let body = STANDARD.encode(&object.content);
            reply.insert("Body".to_owned(), Value::from(body));
        }
        Ok(reply)
    }

    pub(super) fn head_object(&self, input: &Value) -> Result<Reply, ApiError> {
        self.read_object(input).map(view)
    }

    fn read_object(&self, input: &Value) -> Result<&Object, ApiError> {
        let members = [
            "Bucket",
            "Key",
            "IfMatch",
            "IfNoneMatch",
            "ExpectedBucketOwner",
        ];
        let input = Input::new(input, CODE, &members)?;
        let key = key(&input)?;
        let (_, bucket) = self.bucket(&input)?;
        let object = bucket.objects.get(key).ok_or_else(no_such_key)?;
        check_read(&input, object)?;
        Ok(object)
    }

    /// One that is not there is as good as deleted.
    pub(super) fn delete_object(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["Bucket", "Key", "ExpectedBucketOwner"])?;
        let key = key(&input)?;
        self.bucket_mut(&input)?.objects.remove(key);
        Ok(json!({}))
    }
}

fn view(object: &Object) -> Value {
    json!({
        "ETag": object.etag,
        "LastModified": iso(object.modified),
        "ContentLength": object.content.len(),
        "ContentType": object.content_type,
    })
}

fn key<'a>(input: &Input<'a>) -> Result<&'a str, ApiError> {
    let key = input.need("Key")?;
    if key.len() > KEY {
        return Err(error(400, "KeyTooLongError", "Your key is too long"));
    }
    Ok(key)
}
