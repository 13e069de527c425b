//! Task definitions. A registered one never changes, so each is described once per process.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    aws::{Aws, AwsError, Operation, ecs, observe::object},
    document::Document,
    observed::{self, Revision},
};

/// Definitions by ARN, as the text of their JSON, which takes much less than a tree of values, as a fleet has many.
#[derive(Debug, Clone, Default)]
pub(super) struct Definitions(Arc<Mutex<HashMap<String, Box<str>>>>);

/// More than this and the cache starts anew; a definition is one or two kilobytes.
const KEPT: usize = 40_000;

#[derive(Serialize, Deserialize)]
struct Text<D, T> {
    document: D,
    tags: T,
}

impl Definitions {
    fn get(&self, arn: &str) -> Option<Revision> {
        let known = self.locked();
        let text: Text<Document, BTreeMap<String, String>> =
            serde_json::from_str(known.get(arn)?).ok()?;
        Some(Revision {
            document: text.document,
            tags: text.tags,
        })
    }

    fn keep(&self, arn: &str, revision: &Revision) {
        let text = Text {
            document: &revision.document,
            tags: &revision.tags,
        };
        if let Ok(text) = serde_json::to_string(&text) {
            let mut known = self.locked();
            if known.len() >= KEPT {
                known.clear();
            }
            known.insert(arn.to_owned(), text.into());
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Box<str>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Aws {
    /// A definition by ARN; asked once per process.
    ///
    /// # Errors
    /// When AWS does not tell it.
    pub async fn describe_definition(&self, arn: &str) -> Result<Revision, AwsError> {
        if let Some(known) = self.definitions.get(arn) {
            return Ok(known);
        }
        let input = object(json!({"taskDefinition": arn, "include": ["TAGS"]}));
        let request = self.clients.ecs.describe_task_definition();
        let answer = ecs!(self, Operation::DESCRIBE_TASK_DEFINITION, request, input)?;
        let document = answer
            .document
            .get("taskDefinition")
            .and_then(|value| value.as_object())
            .cloned();
        let revision = Revision {
            document: document.unwrap_or_default(),
            tags: observed::tags(&answer.document),
        };
        if revision.arn().is_empty() {
            return Err(AwsError::unreadable(Operation::DESCRIBE_TASK_DEFINITION));
        }
        self.definitions.keep(arn, &revision);
        Ok(revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_was_told() {
        let document = object(json!({
            "taskDefinitionArn": "arn", "cpu": "256", "containerDefinitions": [{"name": "a", "ratio": 1.5, "n": 3}],
        }));
        let revision = Revision {
            document,
            tags: BTreeMap::from([("evenkeel:owner".to_owned(), "ü".to_owned())]),
        };
        let definitions = Definitions::default();
        assert!(definitions.get("arn").is_none());
        definitions.keep("arn", &revision);
        let kept = definitions.get("arn").unwrap();
        assert_eq!(
            (kept.document, kept.tags),
            (revision.document, revision.tags)
        );
    }
}
