//! The table: what AWS fills in, what has no order, what is told apart by a key, what is left alone.
//!
//! The defaults are those of the ECS API reference, of the pages API_CreateService, API_RegisterTaskDefinition and those
//! of their members: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Types.html>. A list that is not
//! here keeps its order: environment files, for one, are read from the top down (API_EnvironmentFile).

mod definition;
mod service;

use serde_json::Value;

/// The rules of this version, each with the path of its field. Paths are written as ECS nests them; `*` is any item of a
/// list.
pub fn rules() -> impl Iterator<Item = (&'static str, Rule)> {
    service::RULES.iter().chain(definition::RULES).copied()
}

/// What is special about a field.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// AWS fills this in when it is omitted.
    Default(fn() -> Value),
    /// The default depends on the account, the platform or the day: left alone when the manifest does not mention it.
    Conditional,
    /// A list whose order means nothing.
    Unordered,
    /// A list whose items are told apart by these members, and of which only the last is the value, if named.
    Keyed(&'static [&'static str], Option<&'static str>),
    /// AWS fills this in with the value of the structure's other member.
    SameAs(&'static str),
    /// `1024`, `"1024"` and `"1 vCPU"` are the same.
    CpuUnits,
    /// `2048`, `"2048"` and `"2 GB"` are the same.
    Mebibytes,
}
