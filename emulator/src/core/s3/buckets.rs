//! Buckets: made, looked at, listed, deleted.

use std::{collections::BTreeMap, net::Ipv4Addr};

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Bucket, CODE, error};
use crate::core::{ApiError, Cloud, Reply, input::Input, time::iso};

const BUCKETS: usize = 100;

impl Cloud {
    pub(super) fn create_bucket(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["Bucket", "CreateBucketConfiguration"])?;
        let name = input.need("Bucket")?;
        if !is_name(name) {
            let message = "The specified bucket is not valid.";
            return Err(error(400, "InvalidBucketName", message));
        }
        let configuration = input.object("CreateBucketConfiguration", &["LocationConstraint"])?;
        let location = configuration.map(|it| it.text("LocationConstraint"));
        if let Some(location) = location.transpose()?.flatten()
            && location != self.ids.region
        {
            return Err(error(
                400,
                "IllegalLocationConstraintException",
                format!(
                    "The {location} location constraint is incompatible for the region specific endpoint this request was sent to."
                ),
            ));
        }
        if self.s3.buckets.contains_key(name) {
            // For compatibility, us-east-1 alone says OK to who owns it:
            // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html#API_CreateBucket_Errors
            if self.ids.region == "us-east-1" {
                return Ok(json!({ "Location": format!("/{name}") }));
            }
            let message = "Your previous request to create the named bucket succeeded and you already own it.";
            return Err(error(409, "BucketAlreadyOwnedByYou", message));
        }
        if self.s3.buckets.len() >= BUCKETS {
            let message = "You have attempted to create more buckets than allowed";
            return Err(error(400, "TooManyBuckets", message));
        }
        let bucket = Bucket {
            created: now,
            objects: BTreeMap::new(),
        };
        self.s3.buckets.insert(name.to_owned(), bucket);
        Ok(json!({ "Location": format!("/{name}") }))
    }

    pub(super) fn head_bucket(&self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["Bucket", "ExpectedBucketOwner"])?;
        self.bucket(&input)?;
        Ok(json!({ "BucketRegion": self.ids.region }))
    }

    pub(super) fn list_buckets(&self, input: &Value) -> Result<Reply, ApiError> {
        Input::new(input, CODE, &[])?;
        let buckets = self.s3.buckets.iter();
        let buckets: Vec<Value> = buckets
            .map(|(name, bucket)| json!({ "Name": name, "CreationDate": iso(bucket.created) }))
            .collect();
        // A canonical user ID is 64 hexadecimal digits that say nothing.
        let owner = hex::encode(Sha256::digest(&self.ids.account));
        Ok(json!({ "Owner": { "ID": owner }, "Buckets": buckets }))
    }

    pub(super) fn delete_bucket(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["Bucket", "ExpectedBucketOwner"])?;
        let (name, bucket) = self.bucket(&input)?;
        if !bucket.objects.is_empty() {
            let message = "The bucket you tried to delete is not empty";
            return Err(error(409, "BucketNotEmpty", message));
        }
        let name = name.to_owned();
        self.s3.buckets.remove(&name);
        Ok(json!({}))
    }
}

/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>, without the reserved
/// prefixes and suffixes.
fn is_name(name: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    (3..=63).contains(&name.len())
        && name
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'.')
        && is_end(name.chars().next())
        && is_end(name.chars().next_back())
        && !name.contains("..")
        && name.parse::<Ipv4Addr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_are_as_documented() {
        for good in ["abc", "my.bucket-1", "1ab", &"a".repeat(63)] {
            assert!(is_name(good), "{good}");
        }
        let long = "a".repeat(64);
        for bad in [
            "ab", &long, "Abc", "a_b", "-ab", "ab-", "a..b", "10.0.0.1", "éab", "",
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
