//! The next version of Evenkeel has another normal form. What matches still matches.

use evenkeel::{
    normal::{self, Form},
    plan::{self, Cause, Lessons},
};
use serde_json::json;

use super::{next_form::next, pairs::Pair};

#[test]
fn every_document_matches_by_the_next_form_too() {
    let (current, next) = (Form::current(), next());
    let mut others = 0;
    for mut pair in Pair::all() {
        let definition = pair.desired.definition.as_ref().unwrap();
        others += u32::from(current.definition(definition) != next.definition(definition));
        pair.desired.form = next.clone();
        let plan = plan::plan(&pair.desired, &pair.observed(), &Lessons::default());
        assert!(plan.is_empty(), "{}: {:?}", pair.name, plan.differences);
    }
    assert!(others > 10, "the next form is hardly another: {others}");
}

/// Such a form would deploy every service. It is drift and no edit, by which the brake knows it.
#[test]
fn a_default_that_the_next_form_forgets_is_drift_everywhere() {
    let essential = "taskDefinition.containerDefinitions.*.essential";
    let forgetful = Form::new(normal::rules().filter(|(path, _)| *path != essential));
    for mut pair in Pair::all() {
        let definition = pair.desired.definition.as_ref().unwrap();
        let is_written = json!(definition).to_string().contains("\"essential\"");
        pair.desired.form = forgetful.clone();
        let plan = plan::plan(&pair.desired, &pair.observed(), &Lessons::default());
        if !is_written {
            assert_eq!(plan.cause, Some(Cause::Drift), "{}", pair.name);
            assert!(plan.starts_deployment(), "{}", pair.name);
        }
    }
}
