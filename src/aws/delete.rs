//! Deleting a service: the one thing that only a person may do.

use serde_json::json;

use crate::{
    aws::{Aws, AwsError, Clients, Operation, ecs, observe::object},
    metrics::Metrics,
};

/// AWS, with the right to delete. An [`Aws`] alone, which is all that passes are given, has no such call and cannot be
/// made into this. The test `only_the_command_deletes` keeps the type out of everything but `evenkeel delete`.
#[derive(Debug)]
pub struct Deleter(Aws);

impl Deleter {
    /// AWS through these clients.
    pub fn new(clients: Clients, metrics: Metrics) -> Self {
        Self(Aws::new(clients, metrics))
    }

    /// For everything else.
    pub fn aws(&self) -> &Aws {
        &self.0
    }

    /// Deletes a service, whatever still runs: one attempt. Its tasks are stopped, and it is gone once they are. Its
    /// definitions and logs stay.
    ///
    /// # Errors
    /// As AWS says. After [`Class::Unreachable`](crate::aws::Class::Unreachable) it may have been done.
    pub async fn delete_service(&self, cluster: &str, name: &str) -> Result<(), AwsError> {
        let aws = &self.0;
        let input = object(json!({"cluster": cluster, "service": name, "force": true}));
        let request = aws.clients.ecs_writes.delete_service();
        ecs!(aws, Operation::DELETE_SERVICE, request, input).map(|_| ())
    }
}
