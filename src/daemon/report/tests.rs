//! What the log, the events and the metrics say of manifests that come, break and go.

use super::*;
use crate::{
    daemon::samples::{manifest, set},
    status::Image,
};

fn reporter() -> Reporter {
    Reporter::new(Arc::default(), Metrics::new().unwrap(), Clock::default())
}

fn key(cluster: &str, name: &str) -> Key {
    (cluster.to_owned(), name.to_owned())
}

/// As a pass leaves it for a service that exists and is as it should be.
fn synced(key: &Key) -> ServiceStatus {
    ServiceStatus {
        phase: Phase::Synced,
        image: Some(Image {
            repository: "nginx".to_owned(),
            tag: String::new(),
            digest: String::new(),
        }),
        ..status::unknown(key.clone(), String::new(), None, Timestamp::now())
    }
}

fn told(reporter: &Reporter) -> Vec<(String, Phase)> {
    let services = reporter.board.services().into_iter();
    services
        .map(|status| (format!("{}/{}", status.cluster, status.name), status.phase))
        .collect()
}

fn of(name: &str, phase: Phase) -> (String, Phase) {
    (name.to_owned(), phase)
}

#[test]
fn what_is_told_follows_a_broken_and_a_repaired_file_at_once() {
    let (mut reporter, api) = (reporter(), key("prod", "api"));
    let text = manifest("api", "prod");
    let good = set(&[("api.yaml", &text)]);
    reporter.manifests(&good);
    reporter.told(&api, synced(&api));
    let other = manifest("other", "prod");
    for files in [
        vec![("api.yaml", "{")],
        vec![("api.yaml", "{"), ("other.yaml", other.as_str())],
    ] {
        reporter.manifests(&set(&files).with_last_good(Some(&good)));
        assert_eq!(told(&reporter), [of("prod/api", Phase::Degraded)]);
    }
    let degraded = r#"evenkeel_service_phase{cluster="prod",phase="Degraded",service="api"}"#;
    let metrics = reporter.metrics.render().unwrap();
    assert!(metrics.contains(&format!("{degraded} 1")), "{metrics}");
    assert_eq!(reporter.board.events().len(), 1, "said once");

    reporter.manifests(&good);
    assert_eq!(told(&reporter), [of("prod/api", Phase::Synced)]);
    let metrics = reporter.metrics.render().unwrap();
    assert!(metrics.contains(&format!("{degraded} 0")), "{metrics}");
}

#[test]
fn what_nothing_names_any_more_is_not_told_and_has_no_series() {
    let mut reporter = reporter();
    let ghost = manifest("api", "${terraform.nowhere}");
    let other = manifest("other", "prod");
    reporter.manifests(&set(&[("api.yaml", &ghost), ("other.yaml", &other)]));
    let name = "${terraform.nowhere}/api";
    assert_eq!(told(&reporter), [of(name, Phase::Degraded)]);
    assert!(reporter.metrics.render().unwrap().contains("nowhere"));

    // A cluster that was never there: asked, and nothing was seen.
    let (gone, why) = (key("gone", "api"), "no such cluster".to_owned());
    let wrong = manifest("api", "gone");
    let unasked = manifest("unasked", "gone");
    reporter.manifests(&set(&[
        ("api.yaml", &wrong),
        ("unasked.yaml", &unasked),
        ("other.yaml", &other),
    ]));
    reporter.told(
        &gone,
        status::unknown(gone.clone(), why, None, Timestamp::now()),
    );
    reporter.manifests(&set(&[("other.yaml", &other)]));
    reporter.tidy(&gone);
    assert_eq!(told(&reporter), []);
    let metrics = reporter.metrics.render().unwrap();
    assert!(
        !metrics.contains("nowhere") && !metrics.contains("gone"),
        "{metrics}"
    );
}

#[test]
fn a_service_that_runs_without_a_manifest_is_an_orphan_until_that_is_back() {
    let (mut reporter, api) = (reporter(), key("prod", "api"));
    let (text, other) = (manifest("api", "prod"), manifest("other", "prod"));
    let both = set(&[("api.yaml", &text), ("other.yaml", &other)]);
    reporter.manifests(&both);
    reporter.told(&api, synced(&api));
    let twice = set(&[("api.yaml", &text), ("again.yaml", &text)]);
    reporter.manifests(&twice);
    assert_eq!(told(&reporter), [of("prod/api", Phase::Degraded)]);
    for _ in 0..2 {
        reporter.manifests(&set(&[("other.yaml", &other)]));
        assert_eq!(told(&reporter), [of("prod/api", Phase::Orphaned)]);
    }
    let events = reporter.board.events();
    let orphaned = events.iter().filter(|event| event.kind == Kind::Orphaned);
    assert_eq!(orphaned.count(), 1);
    reporter.manifests(&both);
    assert_eq!(told(&reporter), [of("prod/api", Phase::Unknown)]);
}

#[test]
fn what_is_logged_is_bounded() {
    assert_eq!(short("a message"), "a message");
    assert_eq!(short(&"x".repeat(LOGGED)).len(), LOGGED);
    for text in [
        "x".repeat(LOGGED + 1),
        "é".repeat(LOGGED),
        "€".repeat(LOGGED),
    ] {
        let short = short(&text);
        assert!(
            short.len() <= LOGGED && short.len() > LOGGED - 4,
            "{}",
            short.len()
        );
        assert!(short.ends_with('…'));
    }
}

#[test]
fn only_the_newest_orphans_are_kept() {
    let mut reporter = reporter();
    for number in 0..=ORPHANS_KEPT {
        let key = key("prod", &format!("api-{number}"));
        reporter.told(&key, synced(&key));
    }
    reporter.manifests(&set(&[("other.yaml", &manifest("other", "prod"))]));
    assert_eq!(told(&reporter).len(), ORPHANS_KEPT);
}
