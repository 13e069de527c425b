//! Every scenario ends as it should, and nothing in it is against the rules.

use simulation::{checker, scenarios};

#[test]
fn every_scenario_ends_as_it_should_by_the_rules() {
    let mut wrong = Vec::new();
    for scenario in scenarios::all() {
        let began = std::time::Instant::now();
        let played = scenario.play(1, &[]);
        for problem in played.end.against(&scenario.ends) {
            wrong.push(format!("{}: {problem}", scenario.name));
        }
        for violation in checker::judge(&played.journal) {
            wrong.push(format!("{}: {violation:?}", scenario.name));
        }
        println!(
            "{}: {:?}, {} entries",
            scenario.name,
            began.elapsed(),
            played.journal.len()
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
