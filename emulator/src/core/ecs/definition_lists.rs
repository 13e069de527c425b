//! ListTaskDefinitions, ListTaskDefinitionFamilies.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::{
    CODE,
    definitions::{Definition, State},
};
use crate::core::{
    ApiError, Cloud, Reply,
    input::Input,
    page::{Paging, flipped, with_token},
};

const PAGING: Paging = Paging {
    token: "nextToken",
    limit: "maxResults",
    default: 100,
    max: 100,
};

impl Cloud {
    pub(super) fn list_definitions(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = ["familyPrefix", "status", "sort", "nextToken", "maxResults"];
        let input = Input::new(input, CODE, &members)?;
        let family = input.text("familyPrefix")?;
        let words = ["ACTIVE", "INACTIVE", "DELETE_IN_PROGRESS"];
        let status = input.word("status", &words)?.unwrap_or("ACTIVE");
        let descending = input.word("sort", &["ASC", "DESC"])? == Some("DESC");
        let mut found: Vec<(&String, u64, &Definition)> = self
            .ecs
            .families
            .iter()
            .filter(|(name, _)| family.is_none_or(|family| *name == family))
            .flat_map(|(name, family)| family.revisions.iter().map(move |(n, d)| (name, *n, d)))
            .filter(|(_, _, definition)| definition.state.word() == status)
            .filter(|(_, _, definition)| {
                definition.state != State::Inactive || self.is_referenced(&definition.arn)
            })
            .collect();
        if descending {
            found.sort_by_key(|(name, revision, _)| Reverse((*name, *revision)));
        }
        // Keys must ascend in either direction, and survive new revisions between two pages.
        let keyed = found.into_iter().map(|(name, revision, definition)| {
            let key = format!("{name}:{revision:020}");
            let key = if descending { flipped(&key) } else { key };
            (key, definition.arn.clone())
        });
        let (page, next) = PAGING.cut(&input, keyed)?;
        Ok(with_token(json!({ "taskDefinitionArns": page }), next))
    }

    pub(super) fn list_families(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = ["familyPrefix", "status", "nextToken", "maxResults"];
        let input = Input::new(input, CODE, &members)?;
        let prefix = input.text("familyPrefix")?.unwrap_or_default();
        let status = input
            .word("status", &["ACTIVE", "INACTIVE", "ALL"])?
            .unwrap_or("ALL");
        let wanted = self.ecs.families.iter().filter(|(name, family)| {
            let active = family.revisions.values().any(Definition::is_active);
            !family.revisions.is_empty()
                && name.starts_with(prefix)
                && (status == "ALL" || active == (status == "ACTIVE"))
        });
        let (page, next) = PAGING.cut(&input, wanted.map(|(name, _)| (name.clone(), name)))?;
        Ok(with_token(json!({ "families": page }), next))
    }
}
