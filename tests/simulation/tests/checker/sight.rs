//! What must have been read before a write: S6 to S8.

use super::*;

/// The journal, with the files as they are so long before this is sent replaced.
fn with_files<const N: usize>(
    before: Duration,
    operation: &str,
    files: [(String, File); N],
) -> Vec<Entry> {
    let mut journal = ROLL_OUT.clone();
    let write = sent(&journal, operation, 0);
    let at = journal[write].at - before;
    let edits = journal
        .iter_mut()
        .skip(10)
        .filter(|entry| matches!(entry.what, What::Manifests(_)));
    for edit in edits {
        edit.at = at;
        edit.what = What::Manifests(files.clone().into());
    }
    journal.sort_by_key(|entry| entry.at);
    journal
}

/// How long a pass may go on by the manifests that it began with.
const MOMENT: Duration = Duration::from_secs(15);

#[test]
fn s6_what_nothing_describes_is_left_alone() {
    let other = || Manifest::new("web", "1").file();
    let suspended = || {
        let suspended = Manifest {
            suspend: true,
            ..Manifest::new("api", "1")
        };
        suspended.file()
    };
    for file in [other, suspended as fn() -> _] {
        // The mark is the last of the writes.
        let in_time = with_files(MOMENT - millis(1), "TagResource", [file()]);
        assert_eq!(broken(&in_time), []);
        let late = with_files(MOMENT + millis(1), "TagResource", [file()]);
        assert_eq!(broken(&late), [Invariant::S6]);
    }
}

#[test]
fn s6_an_emptied_set_starts_nothing() {
    // The wanted manifest first; then all files go.
    let emptied = |before: Duration| {
        let mut journal = with_files(before, "UpdateService", [Manifest::new("api", "2").file()]);
        let edit = journal
            .iter()
            .rposition(|entry| matches!(entry.what, What::Manifests(_)))
            .unwrap();
        journal[edit].what = What::Manifests([].into());
        broken(&journal)
    };
    assert_eq!(emptied(MOMENT - millis(1)), []);
    assert_eq!(emptied(MOMENT + millis(1)), [Invariant::S6]);
}

#[test]
fn s6_a_set_that_shrinks_by_more_than_a_fifth_leaves_the_one_before_in_force() {
    // Of ten manifests so many go, this one among them; what starts nothing may be written by the set before.
    let marked = |gone: usize| {
        let named = |number: usize| Manifest::new(&format!("s{number}"), "1").file();
        let mut journal = with_files(
            MOMENT + millis(1),
            "TagResource",
            std::array::from_fn::<_, 9, _>(named),
        );
        for entry in &mut journal {
            let What::Manifests(files) = &mut entry.what else {
                continue;
            };
            if files.contains_key("api.yaml") {
                files.extend((0..9).map(named));
            } else {
                (1..gone).for_each(|number| drop(files.remove(&format!("s{number}.yaml"))));
            }
        }
        let violations = judge(&journal).into_iter();
        let mut of_mark = violations.filter(|one| one.what.contains("TagResource"));
        of_mark.any(|one| one.of == Invariant::S6)
    };
    assert!(marked(1));
    assert!(marked(2));
    assert!(!marked(3));
}

#[test]
fn s7_a_service_is_looked_at_right_before_a_write() {
    // The last look that was answered, and the last write, are so far apart.
    let looked = |apart: u64, is_told: bool| {
        let mut journal = ROLL_OUT.clone();
        let write = sent(&journal, "TagResource", 0);
        let look = before(&journal, write, "DescribeServices");
        let is_apart = journal[write].at.duration_since(journal[look].at);
        let by = millis(apart) - Duration::try_from(is_apart).unwrap();
        called(&mut journal[look]).is_told = is_told;
        put_off(&mut journal, write, by);
        broken(&journal)
    };
    assert_eq!(looked(1_099, true), []);
    assert_eq!(looked(1_101, true), [Invariant::S7]);
    // Unheard, it was no look, and the one before is older.
    assert!(looked(1_099, false).contains(&Invariant::S7));
}

#[test]
fn s8_after_a_failed_read_nothing_is_written() {
    // Of an edit, targets are not asked about.
    for (write, operation, spoil) in [
        ("UpdateService", "DescribeServices", fail as fn(&mut Called)),
        ("UpdateService", "DescribeLogGroups", fail),
        ("UpdateService", "DescribeImages", fail),
        ("UpdateService", "ListServiceDeployments", fail),
        ("RegisterTaskDefinition", "ListTaskDefinitions", fail),
        ("CreateService", "DescribeTargetHealth", fail),
        ("UpdateService", "DescribeServices", fall_out),
        ("UpdateService", "DescribeServices", lose),
    ] {
        let mut journal = ROLL_OUT.clone();
        let nth = usize::from(write == "RegisterTaskDefinition");
        let write = sent(&journal, write, nth);
        let last = before(&journal, write, operation);
        spoil(called(&mut journal[last]));
        assert!(broken(&journal).contains(&Invariant::S8), "{operation}");
    }
}

fn fail(called: &mut Called) {
    called.is_done = false;
    called.faults = vec!["serverError"];
}

fn fall_out(called: &mut Called) {
    called.faults = vec!["partial"];
    called.fallen_out = vec!["api".to_owned()];
}

fn lose(called: &mut Called) {
    called.is_told = false;
    called.faults = vec!["replyLost"];
}

#[test]
fn s8_what_falls_out_of_another_service_is_not_missed() {
    let mut journal = ROLL_OUT.clone();
    let update = sent(&journal, "UpdateService", 0);
    let look = before(&journal, update, "DescribeServices");
    fall_out(called(&mut journal[look]));
    called(&mut journal[look]).fallen_out = vec!["web".to_owned()];
    assert_eq!(broken(&journal), []);
}

#[test]
fn s8_a_read_that_was_late_counts_when_it_was_asked() {
    // It was asked so long before the last write, and comes after it, unheard.
    let asked = |ago: u64| {
        let mut journal = ROLL_OUT.clone();
        let write = sent(&journal, "TagResource", 0);
        put_off(&mut journal, write, millis(1_000));
        let at = journal[write].at;
        let look = sent(&journal, "DescribeLogGroups", 0);
        let mut asks = journal[look].clone();
        asks.at = at - millis(ago);
        put(&mut journal, asks.clone());
        let it = called(&mut asks).clone();
        let late = Called {
            faults: vec!["delay"],
            is_told: false,
            ..it
        };
        let late = Entry {
            at: at + Duration::from_secs(2),
            what: What::Called(Box::new(late)),
        };
        put(&mut journal, late);
        broken(&journal).contains(&Invariant::S8)
    };
    assert!(!asked(99));
    assert!(asked(101));
}

#[test]
fn s8_an_edit_may_no_longer_ask_for_what_could_not_be_read() {
    // The log group could not be read; then this manifest is edited, or another. Or it is edited just before, and looked at once
    // more, or not.
    let edited = |name: &str, is_before: bool, is_looked_at: bool| {
        let mut journal = ROLL_OUT.clone();
        let update = sent(&journal, "UpdateService", 0);
        let group = before(&journal, update, "DescribeLogGroups");
        fail(called(&mut journal[group]));
        let edit = nth_of(&journal, 1, |entry| {
            matches!(entry.what, What::Manifests(_))
        });
        let What::Manifests(mut files) = journal[edit].what.clone() else {
            panic!("no manifests");
        };
        let manifest = Manifest {
            retention: None,
            ..Manifest::new(name, "2")
        };
        let (file, manifest) = manifest.file();
        files.insert(file, manifest);
        let edit = Entry {
            at: journal[group].at,
            what: What::Manifests(files),
        };
        let at = edit.at;
        if is_before {
            journal.insert(group, edit);
        } else {
            put(&mut journal, edit);
        }
        if is_looked_at {
            let looks = journal[..group].iter().filter(|entry| {
                matches!(&entry.what, What::Sent(call) | What::Called(call) if call.operation == "DescribeServices")
            });
            let look: Vec<_> = looks.cloned().collect();
            for entry in look.into_iter().rev().take(2).rev() {
                put(&mut journal, Entry { at, ..entry });
            }
        }
        broken(&journal).contains(&Invariant::S8)
    };
    assert!(!edited("api", false, false));
    assert!(edited("web", false, false));
    assert!(!edited("api", true, true));
    assert!(edited("web", true, true));
    // The look under way is not to write.
    assert!(edited("api", true, false));
}

#[test]
fn s8_what_an_image_is_need_not_be_told_again_for_the_same_manifest() {
    // It is asked about once more and not told, after it was for the same manifest, which may follow its tag.
    let asked_again = |follows: bool, is_told_before: bool| {
        let mut journal = ROLL_OUT.clone();
        for entry in &mut journal {
            if let What::Manifests(files) = &mut entry.what
                && let Some(File::Manifest(manifest)) = files.get_mut("api.yaml")
            {
                manifest.track = follows;
            }
        }
        let tagged = sent(&journal, "TagResource", 0);
        let told = before(&journal, tagged, "DescribeImages");
        let mut fails = journal[told].clone();
        if !is_told_before {
            fail(called(&mut journal[told]));
        }
        fail(called(&mut fails));
        fails.at = journal[tagged].at;
        journal.insert(tagged, fails);
        let write = journal[tagged + 1].clone();
        assert!(matches!(write.what, What::Sent(_)));
        broken(&journal).contains(&Invariant::S8)
    };
    assert!(!asked_again(false, true));
    assert!(asked_again(true, true));
    assert!(asked_again(false, false));
}

/// A service is created that there is, or is not, and the list before is forged and moved to so long before.
fn created(
    there_since_list: Option<i64>,
    listed_before: u64,
    forge: impl Fn(&mut Called),
) -> Vec<Invariant> {
    let mut journal = ROLL_OUT.clone();
    let create = sent(&journal, "CreateService", 0);
    let at = journal[create].at;
    let list = before(&journal, create, "ListServices");
    let mut list = journal.remove(list);
    let listed = at - millis(listed_before);
    list.at = listed;
    called(&mut list).shows = listed;
    forge(called(&mut list));
    if let Some(since) = there_since_list {
        let since = listed + jiff::SignedDuration::from_millis(since);
        let change = change(called(&mut journal[create - 1]));
        change.before.service = change.after.service.clone();
        change.before.service["createdAt"] = moment(since);
    }
    put(&mut journal, list);
    broken(&journal)
}

#[test]
fn s8_a_service_is_created_only_when_a_list_too_says_that_it_is_missing() {
    assert_eq!(created(None, 59_999, |_| {}), []);
    assert_eq!(created(None, 60_001, |_| {}), [Invariant::S8]);
    assert_eq!(created(None, 30, fail), [Invariant::S8]);
    assert_eq!(
        created(None, 30, |list| list.is_told = false),
        [Invariant::S8]
    );
}

#[test]
fn s8_a_service_that_a_list_shows_is_not_created() {
    let is_against = |broken: Vec<Invariant>| broken.contains(&Invariant::S8);
    assert!(is_against(created(Some(-10), 30, |_| {})));
    assert!(!is_against(created(Some(10), 30, |_| {})));
    let lost = |list: &mut Called| list.faults = vec!["pageLost"];
    assert!(!is_against(created(Some(-10), 30, lost)));
    let stale = |list: &mut Called| list.shows -= millis(20);
    assert!(!is_against(created(Some(-10), 30, stale)));
    assert!(is_against(created(Some(-30), 30, stale)));
}

#[test]
fn s8_what_falls_out_is_created_only_when_a_list_does_not_have_it_either() {
    // The last look before, of which it has fallen out.
    let fallen = |status: &str, list_is_lost: bool| {
        let mut journal = ROLL_OUT.clone();
        let create = sent(&journal, "CreateService", 0);
        let look = before(&journal, create, "DescribeServices");
        fall_out(called(&mut journal[look]));
        let list = before(&journal, create, "ListServices");
        if list_is_lost {
            called(&mut journal[list]).faults = vec!["pageLost"];
        }
        let at = journal[list].at - millis(10);
        let change = change(called(&mut journal[create]));
        change.before.service = change.after.service.clone();
        change.before.service["status"] = json!(status);
        change.before.service["createdAt"] = moment(at);
        broken(&journal)
    };
    assert_eq!(fallen("DRAINING", false), [], "which is not listed");
    assert_eq!(fallen("ACTIVE", false), [Invariant::S8]);
    assert_eq!(fallen("ACTIVE", true), [], "nobody can tell");
}

#[test]
fn s8_what_a_service_that_falls_out_needs_first_is_made_only_when_a_list_does_not_have_it_either() {
    // What is called to create it, after it has fallen out of the look; the list is moved to so long before.
    let fallen = |listed_before: u64| {
        let mut journal = ROLL_OUT.clone();
        let create = sent(&journal, "CreateService", 0);
        let group = sent(&journal, "CreateLogGroup", 0);
        let look = before(&journal, group, "DescribeServices");
        fall_out(called(&mut journal[look]));
        let list = before(&journal, create, "ListServices");
        let at = journal[group].at - Duration::from_secs(listed_before);
        let list = journal.remove(list);
        put(&mut journal, Entry { at, ..list });
        let violations = judge(&journal).into_iter();
        let mut of_group = violations.filter(|one| one.what.contains("CreateLogGroup"));
        of_group.any(|one| one.of == Invariant::S8)
    };
    assert!(!fallen(59));
    assert!(fallen(61));
}
