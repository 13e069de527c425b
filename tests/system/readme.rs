//! The documents, kept true: what they name exists, and what exists is named.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

/// Every command that takes flags.
const COMMANDS: &[&[&str]] = &[
    &["run"],
    &["validate"],
    &["plan"],
    &["apply"],
    &["push"],
    &["status"],
    &["retry"],
    &["history"],
    &["logs"],
    &["events"],
    &["verify"],
    &["init"],
    &["adopt"],
    &["delete"],
    &["local", "up"],
    &["local", "env"],
    &["local", "push"],
    &["local", "aws"],
    &["local", "data"],
];

/// Documents whose links and commands are followed.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docs/deploy.md",
    "docs/performance.md",
    "tests/README.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    let text = std::fs::read_to_string(root().join(path));
    text.unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What `evenkeel COMMAND --help` prints, with no variable of ours set.
fn help(command: &[&str]) -> String {
    let mut process = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    process.args(command).arg("--help");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("EVENKEEL_") {
            process.env_remove(name);
        }
    }
    let output = process.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Words that begin with `start`, as far as letters, digits and `also` go.
fn words(text: &str, start: &str, also: &[char]) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || also.contains(&c);
    text.split(|c| !is_word(c))
        .filter(|word| {
            word.strip_prefix(start)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
        })
        .map(str::to_owned)
        .collect()
}

/// Subcommands, from the indented lines below `Commands:`.
fn subcommands(help: &str) -> BTreeSet<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .map(str::to_owned)
        .collect()
}

fn table_of_flags(readme: &str) -> &str {
    let from = readme.find("## Flags and environment").unwrap();
    let table = &readme[from..];
    let to = table.find("\n## Versions").unwrap();
    &table[..to]
}

#[test]
fn the_table_has_every_flag_and_variable() {
    let readme = read("README.md");
    let table = table_of_flags(&readme);
    let flags = |text: &str| words(text, "--", &['-']);
    let variables = |text: &str| words(text, "EVENKEEL_", &['_']);
    let helps: String = COMMANDS.iter().map(|command| help(command)).collect();

    let taken = flags(&helps);
    let told = flags(table);
    let untold: Vec<_> = taken.difference(&told).collect();
    assert!(untold.is_empty(), "not in the README's table: {untold:?}");
    let unknown: Vec<_> = told
        .difference(&taken)
        .filter(|flag| *flag != "--version")
        .collect();
    assert!(unknown.is_empty(), "no command takes: {unknown:?}");

    // What `local env` exports for people is read by none of our commands.
    let mut taken = variables(&helps);
    taken.insert("EVENKEEL_LB_URL".to_owned());
    assert_eq!(taken, variables(table));
}

#[test]
fn no_command_is_left_out() {
    let top = subcommands(&help(&[]));
    let local = subcommands(&help(&["local"]));
    let mut known = BTreeSet::new();
    for command in COMMANDS {
        match command {
            ["local", name] => assert!(local.contains(*name), "local {name}"),
            [name, ..] => assert!(top.contains(*name), "{name}"),
            [] => {}
        }
        known.insert(command.join(" "));
    }
    let all = top
        .iter()
        .filter(|name| *name != "local")
        .cloned()
        .chain(local.iter().map(|name| format!("local {name}")));
    let missing: Vec<_> = all.filter(|name| !known.contains(name)).collect();
    assert!(missing.is_empty(), "give COMMANDS {missing:?}");
    let readme = read("README.md");
    for command in known {
        assert!(
            table_of_flags(&readme).contains(&format!("`{command}`")),
            "the README's table does not name `{command}`"
        );
    }
}

#[test]
fn make_targets_exist() {
    let makefile = read("Makefile");
    let exists = |target: &str| {
        makefile
            .lines()
            .any(|line| line.starts_with(&format!("{target}:")))
    };
    for document in DOCUMENTS {
        let text = read(document);
        for (at, _) in text.match_indices("make ") {
            let before = text[..at].chars().next_back();
            // A command, in code or at the beginning of a line or after a prompt or a variable: not the verb.
            let line = &text[text[..at].rfind('\n').map_or(0, |end| end + 1)..at];
            if before != Some('`') && !line.is_empty() && line != "$ " {
                continue;
            }
            let target: String = text[at + "make ".len()..]
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            assert!(exists(&target), "{document}: make {target}");
        }
    }
}

#[test]
fn every_command_has_an_example() {
    for command in COMMANDS.iter().filter(|command| command[0] != "local") {
        let help = help(command);
        let example = help
            .split_once("Example")
            .map(|(_, example)| example)
            .unwrap_or_default();
        let wanted = format!("  evenkeel {}", command.join(" "));
        assert!(example.contains(&wanted), "{command:?}: {help}");
    }
}

#[test]
fn links_lead_somewhere() {
    for document in DOCUMENTS {
        let text = read(document);
        let directory = Path::new(document).parent().unwrap_or(Path::new(""));
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            if target.starts_with("https://") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file: PathBuf = if path.is_empty() {
                document.into()
            } else {
                directory.join(path)
            };
            assert!(
                root().join(&file).exists(),
                "{document} links to {target}, which is not there"
            );
            if !anchor.is_empty() {
                let headings = read(file.to_str().unwrap());
                assert!(
                    headings
                        .lines()
                        .filter(|line| line.starts_with('#'))
                        .any(|line| anchor_of(line) == anchor),
                    "{document} links to {target}, which has no such heading"
                );
            }
        }
    }
}

/// The anchor that GitHub gives a heading.
fn anchor_of(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn tests_that_are_named_exist() {
    let text = read("ARCHITECTURE.md");
    let mut sources = String::new();
    let mut directories: Vec<_> = ["src", "service", "emulator", "tests"]
        .iter()
        .map(|name| root().join(name))
        .collect();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    // In code, and a name of at least three words: functions of that form are tests.
    for name in text.split('`').skip(1).step_by(2) {
        let is_name = name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit());
        if is_name && name.matches('_').count() >= 2 && !name.starts_with("evenkeel_") {
            assert!(
                sources.contains(&format!("fn {name}(")),
                "ARCHITECTURE.md names {name}"
            );
        }
    }
}

#[test]
fn every_operation_of_aws_is_listed() {
    let security = read("SECURITY.md");
    let from = security.find("## What the daemon may do in AWS").unwrap();
    let list = &security[from..];
    let (reads, writes) = (read("src/aws/operation.rs"), read("src/plan/step.rs"));
    // Names are the strings in upper camel case.
    let names: BTreeSet<_> = [&reads, &writes]
        .iter()
        .flat_map(|text| text.split('"').skip(1).step_by(2))
        .filter(|name| {
            name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.contains(|c: char| c.is_ascii_lowercase())
                && name.chars().all(|c| c.is_ascii_alphabetic())
        })
        .collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(
            list.contains(&format!(":{name}`")),
            "SECURITY.md does not list {name}"
        );
    }
}
