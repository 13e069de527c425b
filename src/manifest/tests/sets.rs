//! Manifests together: isolation, contradictions, and which sets are accepted.

use std::fs;

use super::*;
use crate::manifest::{
    Broken, FileError, ManifestSet, Refusal, SourceFile, Why, accept, parse_set, read_dir,
};

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        text: Ok(text.to_owned()),
    }
}

fn service(name: &str) -> SourceFile {
    file(
        &format!("{name}.yaml"),
        &manifest_with("", "", "").replace("{name: api}", &format!("{{name: {name}}}")),
    )
}

fn broken(name: &str) -> SourceFile {
    let SourceFile { name, text } = service(name);
    SourceFile {
        name,
        text: Ok(text.unwrap().replace("kind: Service", "kind: Servce")),
    }
}

fn set(files: Vec<SourceFile>) -> ManifestSet {
    parse_set(files, &known(), Options::default())
}

fn numbered(count: usize) -> Vec<SourceFile> {
    (0..count)
        .map(|number| service(&format!("s{number:02}")))
        .collect()
}

fn names(set: &ManifestSet) -> Vec<&str> {
    set.manifests
        .iter()
        .map(|manifest| manifest.name.as_str())
        .collect()
}

#[test]
fn a_bad_file_isolates_itself_and_its_last_good_version_goes_on() {
    let first = set(vec![service("api"), service("web")]);
    let second = set(vec![broken("api"), service("web"), service("new")]);
    assert_eq!(names(&second), ["new", "web"]);
    assert_eq!(accept(Some(&first), &second), Ok(()));
    let second = second.with_last_good(Some(&first));
    assert_eq!(names(&second), ["api", "new", "web"]);
    // It stays broken for long, and its name cannot be read any more.
    let third = set(vec![
        file("api.yaml", "][\n"),
        service("web"),
        service("new"),
    ]);
    assert_eq!(accept(Some(&second), &third), Ok(()));
    let third = third.with_last_good(Some(&second));
    assert_eq!(names(&third), ["api", "new", "web"]);
    // It is mended.
    let fourth =
        set(vec![service("api"), service("web"), service("new")]).with_last_good(Some(&third));
    assert_eq!(fourth.diagnostics, []);
    assert_eq!(fourth.broken, []);
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_of_that_file() {
    let first = set(vec![service("api"), service("web")]);
    let unreadable = SourceFile {
        name: "api.yaml".to_owned(),
        text: Err(FileError::NotAFile),
    };
    let second = set(vec![unreadable, service("web")]);
    assert_eq!(second.diagnostics[0].to_string(), "api.yaml: is not a file");
    assert_eq!(names(&second.with_last_good(Some(&first))), ["api", "web"]);
}

#[test]
fn the_same_service_twice_acts_in_neither() {
    let other = SourceFile {
        name: "other.yaml".to_owned(),
        ..service("api")
    };
    let set = set(vec![service("api"), other, service("web")]);
    assert_eq!(names(&set), ["web"]);
    assert_eq!(
        set.broken
            .iter()
            .filter(|broken| broken.why == Why::Contradicted)
            .count(),
        2
    );
    let said: Vec<String> = set.diagnostics.iter().map(ToString::to_string).collect();
    assert!(said[0].starts_with(
        "api.yaml:1:1: api (prod) in api.yaml:1: the service is also used by api (prod) in other.yaml:1"
    ), "{said:?}");
    assert!(said[1].starts_with("other.yaml:1:1:"), "{said:?}");
}

#[test]
fn a_contradiction_is_not_settled_by_the_last_good_version() {
    let first = set(vec![service("api")]);
    let other = SourceFile {
        name: "other.yaml".to_owned(),
        ..service("api")
    };
    let second = set(vec![service("api"), other]).with_last_good(Some(&first));
    assert_eq!(names(&second), Vec::<&str>::new());
}

#[test]
fn a_last_good_version_and_a_new_manifest_can_contradict_each_other() {
    let family = "    family: shared\n    containerDefinitions";
    let with_family = |source: SourceFile| SourceFile {
        text: Ok(source
            .text
            .unwrap()
            .replace("    containerDefinitions", family)),
        ..source
    };
    let first = set(vec![with_family(service("api"))]);
    let second = set(vec![broken("api"), with_family(service("web"))]).with_last_good(Some(&first));
    assert_eq!(names(&second), Vec::<&str>::new());
    assert!(
        second
            .diagnostics
            .iter()
            .any(|one| one.message.contains("family `shared`"))
    );
}

#[test]
fn family_and_target_group_belong_to_one_manifest() {
    let balanced = |name: &str| {
        let source = service(name);
        let group = "    loadBalancers: [{targetGroupArn: arn:tg/one, containerName: api, containerPort: 80}]\n  taskDefinition";
        let text = source.text.unwrap().replace("  taskDefinition", group)
            + "        portMappings: [{containerPort: 80}]\n";
        SourceFile {
            name: source.name,
            text: Ok(text),
        }
    };
    let set = set(vec![balanced("api"), balanced("web")]);
    assert_eq!(names(&set), Vec::<&str>::new());
    assert!(
        set.diagnostics[0]
            .message
            .contains("the target group arn:tg/one is also used by web (prod)")
    );
    // Two clusters may have a service of the same name.
    let elsewhere = SourceFile {
        name: "b.yaml".to_owned(),
        text: service("api")
            .text
            .map(|text| text.replace("cluster: prod", "cluster: test")),
    };
    let both = super::sets::set(vec![service("api"), elsewhere]);
    assert_eq!(names(&both), ["api", "api"]);
}

#[test]
fn the_first_set_is_waited_for() {
    let refusal = accept(None, &set(Vec::new())).unwrap_err();
    assert_eq!(refusal, Refusal::NothingYet);
    assert_eq!(accept(None, &set(vec![service("api")])), Ok(()));
    assert_eq!(accept(None, &set(vec![broken("api")])), Ok(()));
}

#[test]
fn a_set_that_came_up_empty_changes_nothing() {
    let refusal = accept(Some(&set(vec![service("api")])), &set(Vec::new())).unwrap_err();
    assert_eq!(refusal, Refusal::Empty { before: 1 });
    assert!(
        refusal.to_string().contains("Put the files back"),
        "{refusal}"
    );
}

#[test]
fn a_set_may_shrink_by_a_fifth_or_by_one() {
    let check =
        |before: usize, after: usize| accept(Some(&set(numbered(before))), &set(numbered(after)));
    assert_eq!(check(2, 1), Ok(()));
    assert_eq!(check(10, 8), Ok(()));
    assert_eq!(check(10, 12), Ok(()));
    assert!(check(3, 1).is_err());
    let refusal = check(10, 7).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "3 of 10 manifests disappeared at once (s07 (prod), s08 (prod), s09 (prod)); the last ones stay in force. Put the files back, remove at most a fifth at a time, or restart evenkeel to take the set as it is"
    );
}

#[test]
fn broken_files_have_not_disappeared() {
    let before = set(numbered(6));
    let after = set((0..6)
        .map(|number| broken(&format!("s{number:02}")))
        .collect());
    assert_eq!(accept(Some(&before), &after), Ok(()));
    let unreadable = (0..6)
        .map(|number| file(&format!("s{number:02}.yaml"), "]["))
        .collect();
    assert_eq!(accept(Some(&before), &set(unreadable)), Ok(()));
}

#[test]
fn the_digest_is_that_of_the_manifests() {
    let (one, two) = (
        set(numbered(3)),
        set(numbered(3).into_iter().rev().collect()),
    );
    assert_eq!(one.digest, two.digest);
    assert_ne!(one.digest, set(numbered(2)).digest);
    assert_eq!(one.files, 3);
}

#[test]
fn a_directory_is_read_with_care() {
    let root = tempfile::tempdir().unwrap();
    let manifests = root.path().join("manifests");
    fs::create_dir_all(manifests.join("below")).unwrap();
    fs::create_dir(manifests.join("folder.yaml")).unwrap();
    fs::write(root.path().join("outside.yaml"), "a: b").unwrap();
    fs::write(manifests.join("b.yml"), "b").unwrap();
    fs::write(manifests.join("a.yaml"), "a").unwrap();
    fs::write(manifests.join(".hidden.yaml"), "x").unwrap();
    fs::write(manifests.join("notes.txt"), "x").unwrap();
    fs::write(manifests.join("below").join("c.yaml"), "x").unwrap();
    fs::write(manifests.join("large.yaml"), "x".repeat(2 * 1024 * 1024)).unwrap();
    fs::write(manifests.join("latin.yaml"), b"a: \xe9").unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("a.yaml", manifests.join("linked.yaml")).unwrap();
        std::os::unix::fs::symlink("../outside.yaml", manifests.join("leaving.yaml")).unwrap();
        std::os::unix::fs::symlink("nowhere.yaml", manifests.join("dangling.yaml")).unwrap();
    }
    let read: Vec<(String, String)> = read_dir(&manifests)
        .unwrap()
        .into_iter()
        .map(|file| {
            let name = file.name.rsplit('/').next().unwrap().to_owned();
            (name, file.text.unwrap_or_else(|error| error.to_string()))
        })
        .collect();
    let said: Vec<(&str, &str)> = read
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            ("a.yaml", "a"),
            ("b.yml", "b"),
            (
                "dangling.yaml",
                "cannot be read: No such file or directory (os error 2)"
            ),
            ("folder.yaml", "is not a file"),
            (
                "large.yaml",
                "has 2097152 bytes, more than 1048576: split it into several files"
            ),
            ("latin.yaml", "is not UTF-8 text (at byte 3)"),
            (
                "leaving.yaml",
                "is a link that leaves the directory: put the file itself there"
            ),
            ("linked.yaml", "a"),
        ]
    );
    assert!(read_dir(&root.path().join("absent")).is_err());
}

#[test]
fn what_a_broken_file_names_is_known() {
    let set = set(vec![broken("api")]);
    let named = Broken {
        file: "api.yaml".to_owned(),
        cluster: Some("prod".to_owned()),
        name: Some("api".to_owned()),
        why: Why::Invalid,
    };
    assert!(set.broken.contains(&named));
    assert!(set.describes(&("prod".to_owned(), "api".to_owned()), None));
    assert!(!set.describes(&("prod".to_owned(), "web".to_owned()), None));
}
