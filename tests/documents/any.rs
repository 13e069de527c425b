//! Whatever a manifest may ask for: what AWS makes of it is no difference, and everything else is.

use std::{collections::BTreeSet, env};

use evenkeel::{
    plan::{self, Lessons},
    shape,
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngSeed, TestRunner},
};
use serde_json::{Value, json};

use super::{
    aws,
    changes::{self, Expected, Side},
    changing::judge,
    held::rolled_back,
    pairs::Pair,
    random,
    repairs::mend,
};

/// The same cases each time. `PROPTEST_CASES` and `PROPTEST_RNG_SEED` ask for more or others.
fn config(cases: u32) -> Config {
    let asked_for = Config::default();
    Config {
        cases: match env::var_os("PROPTEST_CASES") {
            Some(_) => asked_for.cases,
            None => cases,
        },
        rng_seed: match asked_for.rng_seed {
            RngSeed::Random => RngSeed::Fixed(20_261_128),
            fixed @ RngSeed::Fixed(_) => fixed,
        },
        failure_persistence: None,
        ..asked_for
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn what_aws_makes_of_any_documents_is_what_they_ask_for(pair in random::pair()) {
        let desired = &pair.desired;
        let definition = desired.definition.as_ref().unwrap();
        let live = desired.form.service(&shape::of_service(&pair.service, &desired.service));
        prop_assert_eq!(desired.normal_service(), live);
        let live = desired.form.definition(&shape::of_definition(&pair.definition, definition));
        prop_assert_eq!(desired.normal_definition().unwrap(), live);
        prop_assert_eq!(nothing_to_do(&pair), Ok(()));
    }

    #[test]
    fn what_is_chosen_for_them_is_left_alone(mut pair in random::pair()) {
        aws::choose_for_them(&mut pair.service, &mut pair.definition);
        prop_assert_eq!(nothing_to_do(&pair), Ok(()));
    }

    /// A member that is newer than the table, in one container; AWS fills in its default in all of them.
    #[test]
    fn what_is_newer_than_the_table_is_compared_where_it_is_named(mut pair in random::pair()) {
        let written = &mut pair.desired.definition.as_mut().unwrap()["containerDefinitions"];
        written[0]["newerThanTheTable"] = json!("on");
        let name = written[0]["name"].clone();
        for live in pair.definition["containerDefinitions"].as_array_mut().unwrap() {
            live["newerThanTheTable"] = json!(if live["name"] == name { "on" } else { "off" });
        }
        prop_assert_eq!(nothing_to_do(&pair), Ok(()));
    }

    #[test]
    fn any_documents_that_failed_are_held(pair in random::pair(), is_first: bool) {
        let plan = plan::plan(&pair.desired, &rolled_back(&pair, is_first), &Lessons::default());
        prop_assert!(plan.hold.is_some() && !plan.starts_deployment(), "{:?}", plan.steps);
    }
}

proptest! {
    #![proptest_config(config(8))]

    #[test]
    fn every_change_of_any_documents_is_found_and_named(pair in random::pair()) {
        for side in [Side::Live, Side::Manifest] {
            for change in changes::of(&pair, side, &mut BTreeSet::new()) {
                prop_assert_eq!(judge(&pair, side, &change), Ok(()));
            }
        }
    }

    #[test]
    fn one_update_mends_every_change_of_any_service(pair in random::pair()) {
        for change in changes::of(&pair, Side::Live, &mut BTreeSet::new()) {
            if change.root == "service" && matches!(change.expected, Expected::Named(_)) {
                prop_assert!(mend(&pair, &change).is_ok(), "{:?}: {:?}", change.what, mend(&pair, &change));
            }
        }
    }
}

/// The strategy reaches every field of ECS's model.
#[test]
fn every_field_is_tried() {
    let mut runner = TestRunner::new(config(1));
    let mut tried = BTreeSet::new();
    let mut untried = BTreeSet::new();
    for root in ["service", "taskDefinition"] {
        let documents = random::document(root);
        for _ in 0..512 {
            let document = documents.new_tree(&mut runner).unwrap().current();
            note(&Value::Object(document), root, &mut tried);
        }
        untried.extend(&random::fields(root) - &tried);
    }
    assert!(untried.is_empty(), "{untried:#?}");
    assert!(tried.len() > 300, "only {} fields", tried.len());
}

fn note(value: &Value, pattern: &str, tried: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let pattern = format!("{pattern}.{name}");
                note(value, &pattern, tried);
                tried.insert(pattern);
            }
        }
        Value::Array(entries) => {
            for entry in entries {
                note(entry, &format!("{pattern}.*"), tried);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn nothing_to_do(pair: &Pair) -> Result<(), String> {
    let plan = plan::plan(&pair.desired, &pair.observed(), &Lessons::default());
    plan.is_empty()
        .then_some(())
        .ok_or_else(|| format!("{:?} {:?}", plan.differences, plan.steps))
}
