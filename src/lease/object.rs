//! The lease's object in S3: reading it, and writing it on a condition.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;

use super::{Lease, TTL, record::Record};
use crate::aws::{AwsError, Class, OnlyIf, Put, S3Url};

/// The longest that one call of S3 is waited for.
const CALL_WITHIN: Duration = Duration::from_secs(2);
/// The largest object that is read as a lease.
const MAX_BYTES: usize = 4 * 1024;

impl Lease {
    pub(super) async fn read(&self) -> Result<Option<(String, Record)>, AwsError> {
        let read = self.aws.get_object(&self.url, MAX_BYTES);
        let object = in_time(&self.url, read).await?;
        Ok(object.map(|object| (object.etag, Record::read(&object.bytes, TTL))))
    }

    pub(super) async fn write(
        &self,
        holder: Option<&str>,
        only_if: OnlyIf<'_>,
    ) -> Result<Put, AwsError> {
        let record = Record {
            holder: holder.map(str::to_owned),
            ttl_seconds: TTL.as_secs(),
            sequence: self.writes.fetch_add(1, Ordering::Relaxed),
        };
        let text = Bytes::from(serde_json::to_vec(&record).unwrap_or_default());
        let write = self
            .aws
            .put_object(&self.url, "application/json", text, only_if);
        in_time(&self.url, write).await
    }
}

/// S3 may take longer than a lease can wait.
async fn in_time<T>(
    url: &S3Url,
    call: impl Future<Output = Result<T, AwsError>>,
) -> Result<T, AwsError> {
    timeout(CALL_WITHIN, call).await.unwrap_or_else(|_| {
        Err(AwsError {
            operation: "s3".to_owned(),
            class: Class::Unreachable,
            code: "timeout".to_owned(),
            message: format!("no answer for {url} within {} s", CALL_WITHIN.as_secs()),
        })
    })
}
