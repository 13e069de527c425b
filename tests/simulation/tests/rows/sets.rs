//! Manifests that are half-written, deleted, emptied, moved, and a version with another normal form.

use serde_json::json;
use simulation::manifest::{File, Files};

use super::*;
use crate::next_form::next;

/// Five services, then other files, and, while they are in force, another hand's change of one service. Returns what was
/// written, and how many tasks of `svc-0` there are before the files are put back.
fn meanwhile(other: impl Fn(Files) -> Files + Send + Sync) -> (Vec<String>, u64) {
    let ((from, to, count), journal) = judged(SEED, async |world| {
        let names = furnish_many(world, 5);
        world.start();
        let all: Vec<_> = names.iter().map(String::as_str).collect();
        until_synced(world, &all).await;
        let files = world.files().clone();
        let from = world.clock.now();
        world.set_manifests(other(files.clone()));
        world.pass(MINUTE).await;
        world.update("svc-0", json!({ "desiredCount": 3 }));
        world.pass(5 * MINUTE).await;
        let (to, count) = (world.clock.now(), runs(world, "svc-0").1);
        world.set_manifests(files);
        until_synced(world, &all).await;
        world.rest(2 * MINUTE).await;
        (from, to, count)
    });
    (writes(&journal, from, to), count)
}

/// The last good set stays in force: it repairs, and nothing else.
#[track_caller]
fn stays_in_force(other: impl Fn(Files) -> Files + Send + Sync) {
    let (writes, count) = meanwhile(other);
    assert_eq!((writes.len(), count), (1, 1), "{writes:#?}");
    assert!(
        writes[0].contains("\"svc-0\",\"desiredCount\":1"),
        "{writes:#?}"
    );
}

#[test]
fn an_emptied_directory_leaves_the_last_set_in_force() {
    stays_in_force(|_| Files::new());
}

#[test]
fn half_of_the_files_gone_leaves_the_last_set_in_force() {
    stays_in_force(|files| files.into_iter().skip(3).collect());
}

#[test]
fn a_file_that_is_half_written_leaves_its_last_good_version_in_force() {
    stays_in_force(|mut files| {
        let text = Manifest::new("svc-0", "2").text(None);
        let half = text[..text.len() / 2].to_owned();
        files.insert("svc-0.yaml".to_owned(), File::Broken(half));
        files
    });
}

#[test]
fn a_file_that_is_moved_is_the_same_manifest() {
    stays_in_force(|files| {
        let moved = files.into_iter();
        moved
            .map(|(name, file)| (format!("moved-{name}"), file))
            .collect()
    });
}

#[test]
fn a_service_whose_file_is_gone_is_left_alone() {
    let (writes, count) = meanwhile(|mut files| {
        files.remove("svc-0.yaml");
        files
    });
    assert_eq!((writes, count), (Vec::new(), 3));
}

#[test]
fn two_files_of_one_service_act_neither() {
    let (writes, count) = meanwhile(|mut files| {
        let (_, second) = Manifest::new("svc-0", "1").file();
        files.insert("again.yaml".to_owned(), second);
        files
    });
    assert_eq!((writes, count), (Vec::new(), 3));
}

#[test]
fn a_version_with_another_normal_form_writes_nothing() {
    let (from, journal) = judged(SEED, async |world| {
        let names = furnish_many(world, 6);
        furnish(world);
        world.start();
        let all: Vec<_> = names.iter().map(String::as_str).chain(["api"]).collect();
        until_synced(world, &all).await;
        world.kill();
        world.form = next();
        let from = world.clock.now();
        world.start();
        world.pass(SECOND).await;
        until_synced(world, &all).await;
        world.rest(60 * MINUTE).await;
        from
    });
    assert_eq!(writes(&journal, from, Timestamp::MAX), [""; 0]);
}
