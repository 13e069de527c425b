//! One UpdateService mends what has changed: what it says is of ECS's shapes, and leaves no difference.

use std::collections::BTreeSet;

use evenkeel::{
    diff::Difference,
    document::Document,
    observed::LiveService,
    plan::{self, Blocked, Lessons, Write},
};
use serde_json::Value;

use super::{
    changes::{self, Change, Expected, Side},
    facts,
    model::{self, Kind},
    pairs::Pair,
};

#[test]
fn one_update_mends_every_change_of_a_service() {
    let mut added = BTreeSet::new();
    let (mut failures, mut mended) = (Vec::new(), 0);
    for pair in Pair::all() {
        for change in changes::of(&pair, Side::Live, &mut added) {
            let is_named = matches!(change.expected, Expected::Named(_));
            if change.root == "service" && is_named {
                match mend(&pair, &change) {
                    Ok(is_mended) => mended += usize::from(is_mended),
                    Err(why) => failures.push(format!("{}: {}: {why}", pair.name, change.what)),
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(mended > 1_000, "only {mended} were mended");
}

/// Whether it could be mended; some members would need another service.
pub fn mend(pair: &Pair, change: &Change) -> Result<bool, String> {
    let (desired, mut observed) = pair.with(Side::Live, change);
    let plan = plan::plan(&desired, &observed, &Lessons::default());
    let update = plan
        .steps
        .iter()
        .find(|step| step.operation == Write::UpdateService);
    let Some(update) = update else {
        let is_said = plan
            .blocked
            .iter()
            .any(|blocked| matches!(blocked, Blocked::NeedsReplacement(_)));
        return is_said
            .then_some(false)
            .ok_or(format!("not mended, and not said why: {plan:?}"));
    };
    let mut live = change.document.clone();
    for (member, value) in &update.input {
        if !["cluster", "service"].contains(&member.as_str()) {
            let kind = model::member(model::root("service"), member).ok_or(member.as_str())?;
            is_of_kind(value, kind, member)?;
            apply(&mut live, member, value);
        }
    }
    let answer = LiveService(live);
    let unmended = plan::not_taken(&desired, &plan, &answer);
    observed.service = Some(answer);
    let left = plan::plan(&desired, &observed, &Lessons::default()).differences;
    if left.iter().all(cannot_be_unset) && left == unmended {
        Ok(left.is_empty())
    } else {
        Err(format!("{:?} leaves {left:?}", update.input))
    }
}

/// UpdateService keeps what it is not sent, and of the deployment configuration, which is merged, some members have no
/// default that could be sent. That is seen in its answer, told, and not sent again.
fn cannot_be_unset(left: &Difference) -> bool {
    left.member() == "deploymentConfiguration" && left.desired.is_null()
}

/// What UpdateService does: members that are sent are taken whole, but the deployment configuration is merged.
fn apply(live: &mut Document, member: &str, value: &Value) {
    let mut value = value.clone();
    drop_nulls(&mut value);
    if member == "deploymentConfiguration" {
        let configuration = live.entry(member).or_insert_with(|| serde_json::json!({}));
        merge(configuration, &value);
    } else if facts::ON_PRIMARY.contains(&member) {
        let deployments = live["deployments"].as_array_mut().unwrap();
        let primary = deployments.iter_mut().find(|d| d["status"] == "PRIMARY");
        primary.unwrap()[member] = value;
    } else {
        live.insert(member.to_owned(), value);
    }
}

fn merge(live: &mut Value, sent: &Value) {
    match (live.as_object_mut(), sent) {
        (Some(members), Value::Object(sent)) => {
            for (name, value) in sent {
                merge(members.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        _ => *live = sent.clone(),
    }
}

fn drop_nulls(value: &mut Value) {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, value| !value.is_null());
        members.values_mut().for_each(drop_nulls);
    }
}

/// Whether AWS could read it at all.
fn is_of_kind(value: &Value, kind: Kind, at: &str) -> Result<(), String> {
    let is_right = match value {
        Value::Object(members) => {
            for (name, value) in members {
                let place = format!("{at}.{name}");
                let kind = model::member(kind, name).ok_or(format!("{place} is no member"))?;
                is_of_kind(value, kind, &place)?;
            }
            true
        }
        Value::Array(entries) => {
            let kind = model::item(kind).ok_or(format!("{at} is no list"))?;
            entries
                .iter()
                .try_for_each(|entry| is_of_kind(entry, kind, at))?;
            true
        }
        // On the wire null is the same as nothing.
        Value::Null => true,
        Value::Bool(_) => kind == "boolean",
        Value::Number(_) => ["integer", "long", "double"]
            .iter()
            .any(|number| kind == number),
        Value::String(_) => kind == "string" || kind.get("enum").is_some(),
    };
    is_right
        .then_some(())
        .ok_or(format!("{at} is {value}, and not {kind}"))
}
