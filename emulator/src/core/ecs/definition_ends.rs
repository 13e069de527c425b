//! DeregisterTaskDefinition, DeleteTaskDefinitions, and what is left of a definition after them.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::definitions::{CODE, State, family_and_revision};
use crate::core::{
    ApiError, Cloud, Reply,
    error::{client, invalid},
    input::Input,
    time::Timer,
};

/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteTaskDefinitions.html>
const DELETIONS: usize = 10;
/// From one look at whether a deleted definition is still in use to the next.
const DELETE: Duration = Duration::from_secs(60);

impl Cloud {
    pub(super) fn deregister_definition(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["taskDefinition"])?;
        let reference = input.need("taskDefinition")?;
        if !self.is_revision(reference) {
            return Err(invalid("Invalid revision number. Number: null"));
        }
        let arn = self
            .find_definition(reference)
            .map(|definition| definition.arn.clone());
        let definition = arn
            .and_then(|arn| self.ecs.definition_mut(&arn))
            .ok_or_else(|| client("The specified task definition does not exist."))?;
        if definition.is_active() {
            definition.state = State::Inactive;
            definition.deregistered = Some(now);
        }
        Ok(json!({ "taskDefinition": definition.view() }))
    }

    pub(super) fn delete_definitions(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["taskDefinitions"])?;
        let references = input.texts("taskDefinitions")?;
        if references.is_empty() || references.len() > DELETIONS {
            return Err(invalid(format!(
                "taskDefinitions must have 1 to {DELETIONS} elements."
            )));
        }
        if references
            .iter()
            .any(|reference| !self.is_revision(reference))
        {
            return Err(invalid("Invalid revision number. Number: null"));
        }
        let (mut deleted, mut failures) = (Vec::new(), Vec::new());
        for reference in references {
            let arn = self.find_definition(reference).map(|d| d.arn.clone());
            let definition = arn.and_then(|arn| self.ecs.definition_mut(&arn));
            let reason = match definition.map(|definition| (definition.state, definition)) {
                None => "The specified task definition does not exist.",
                Some((State::Active, _)) => {
                    "The specified task definition is still in ACTIVE status. Please deregister the target and try again."
                }
                Some((State::Inactive, definition)) => {
                    definition.state = State::Deleting(now);
                    let arn = definition.arn.clone();
                    deleted.push(definition.view());
                    let look = self.pace.after(now, DELETE);
                    self.timers.set(look, Timer::Definition(arn));
                    continue;
                }
                Some((State::Deleting(_), definition)) => {
                    deleted.push(definition.view());
                    continue;
                }
            };
            failures.push(json!({ "arn": reference, "reason": reason }));
        }
        Ok(json!({ "taskDefinitions": deleted, "failures": failures }))
    }

    /// Removes a deleted definition once nothing refers to it.
    pub(crate) fn step_definition(&mut self, arn: &str, now: Timestamp) {
        let state = self.ecs.definition(arn).map(|definition| definition.state);
        if !matches!(state, Some(State::Deleting(_))) {
            return;
        }
        if self.is_referenced(arn) {
            let look = self.pace.after(now, DELETE);
            self.timers.set(look, Timer::Definition(arn.to_owned()));
        } else if let Some((family, revision)) = family_and_revision(arn)
            && let Some(family) = self.ecs.families.get_mut(family)
        {
            family.revisions.remove(&revision);
        }
    }

    /// Whether a reference names a revision and not just a family.
    fn is_revision(&self, reference: &str) -> bool {
        reference
            .strip_prefix(&self.ids.arn("ecs", "task-definition/"))
            .unwrap_or(reference)
            .contains(':')
    }
}
