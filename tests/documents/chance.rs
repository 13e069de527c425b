//! Many harmless changes of a pair at once. Seeded, so that a failure comes again.

use evenkeel::plan::{self, Lessons};
use fastrand::Rng;
use serde_json::Value;

use super::{
    aws,
    changes::{Change, Expected, Side},
    model,
    pairs::Pair,
};

/// Tellings of each pair.
const TELLINGS: u64 = 5;

#[test]
fn however_aws_tells_it_there_is_no_difference() {
    for (number, pair) in (0..).zip(Pair::all()) {
        for telling in 0..TELLINGS {
            let mut rng = Rng::with_seed(number * TELLINGS + telling);
            for (root, document) in [
                ("service", &pair.service),
                ("taskDefinition", &pair.definition),
            ] {
                let mut told = Value::Object(document.clone());
                aws::tell(&mut told, model::root(root), root, &mut rng);
                let document = told.as_object().unwrap().clone();
                let change = Change {
                    what: format!("telling {telling}"),
                    root,
                    document,
                    expected: Expected::Nothing("it means the same"),
                };
                let (desired, observed) = pair.with(Side::Live, &change);
                let plan = plan::plan(&desired, &observed, &Lessons::default());
                let found = &plan.differences;
                assert!(plan.is_empty(), "{}: {}: {found:?}", pair.name, change.what);
            }
        }
    }
}
