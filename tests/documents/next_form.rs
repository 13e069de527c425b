//! The normal form that the next version of Evenkeel may have. Shared with `tests/system`.

use evenkeel::normal::{Form, Rule, rules};
use serde_json::json;

/// Lists that had keys or an order have none any more, and one more default is known, which manifests write and AWS
/// returns.
pub fn next() -> Form {
    let unordered = [
        "service.loadBalancers",
        "service.placementStrategy",
        "taskDefinition.containerDefinitions.*.command",
        "taskDefinition.containerDefinitions.*.environment",
        "taskDefinition.containerDefinitions.*.mountPoints",
        "taskDefinition.containerDefinitions.*.portMappings",
    ];
    let kept = rules().filter(|(path, _)| !unordered.contains(path));
    let changed = unordered.map(|path| (path, Rule::Unordered));
    let added = (
        "taskDefinition.containerDefinitions.*.stopTimeout",
        Rule::Default(|| json!(30)),
    );
    Form::new(kept.chain(changed).chain([added]))
}
