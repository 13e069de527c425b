//! The shell around the AWS SDK: the only place that calls AWS. It has two verbs, observe and apply.

mod clients;

pub use clients::Clients;
