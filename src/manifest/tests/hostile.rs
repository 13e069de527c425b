//! Files nobody would write on purpose: an error with a place, soon, and never a panic.

use std::time::{Duration, Instant};

use super::*;

/// The first message, of a text that must be refused soon.
#[track_caller]
fn refused(text: &str) -> String {
    let begun = Instant::now();
    let (manifests, diagnostics) = parse(text);
    let drawn = diagnostics
        .iter()
        .map(|one| picture(one, Some(text), false))
        .collect::<String>();
    assert!(
        begun.elapsed() < Duration::from_secs(60),
        "took {:?}",
        begun.elapsed()
    );
    assert_eq!(manifests, []);
    assert!(diagnostics.len() <= 101, "{}", diagnostics.len());
    assert!(!drawn.is_empty());
    diagnostics[0].to_string()
}

#[test]
fn empty_files_say_so() {
    let nothing = "m.yaml:1:1: the file describes no service; a manifest has apiVersion, kind, metadata and spec";
    for text in [
        "",
        "\n",
        "# only a comment\n",
        "---\n",
        "---\n---\n...\n",
        "~\n",
        "\u{feff}",
    ] {
        assert_eq!(refused(text), nothing, "{text:?}");
    }
}

#[test]
fn an_alias_bomb_does_not_go_off() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    let message = refused(&text);
    assert!(
        message.contains("more than 100000 values in one file"),
        "{message}"
    );
    assert!(message.starts_with("m.yaml:5:"), "{message}");
}

#[test]
fn a_merge_bomb_does_not_go_off() {
    let mut text = "a0: &a0 {x: 1}\n".to_owned();
    for level in 1..2_000 {
        writeln!(
            text,
            "a{level}: &a{level} {{<<: *a{}, k{level}: 1}}",
            level - 1
        )
        .unwrap();
    }
    assert!(refused(&text).contains("more than 100000 values"));
}

#[test]
fn an_anchor_may_not_contain_itself() {
    assert_eq!(
        refused("a: &a [*a]\n"),
        "m.yaml:1:8: an anchor may not contain itself"
    );
    assert!(refused("a: *nowhere\n").starts_with("m.yaml:1:4: not YAML"));
}

#[test]
fn deep_nesting_ends_early() {
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
    ] {
        let message = refused(&text);
        assert!(message.starts_with("m.yaml:1:"), "{message}");
    }
    let mut text = String::new();
    for depth in 0..1_000 {
        writeln!(text, "{}a:", " ".repeat(depth)).unwrap();
    }
    refused(&text);
}

#[test]
fn large_files_are_refused_by_size() {
    let text = manifest_with("", "", "") + &"# filler\n".repeat(256 * 1024);
    let message = refused(&text);
    assert!(
        message.contains("bytes, more than 1048576; split it into several files"),
        "{message}"
    );
}

#[test]
fn a_file_full_of_mistakes_is_refused_soon() {
    refused(&manifest_with(
        "",
        "",
        &format!("        command: [{}]\n", "${terraform.x}, ".repeat(60_000)),
    ));
    refused(&manifest_with("", &"    wrong: 1\n".repeat(40_000), ""));
    let fields: String = (0..40_000)
        .map(|n| format!("    desiredCoun{n}: 1\n"))
        .collect();
    refused(&manifest_with("", &fields, ""));
    refused(&manifest_with(
        &format!("  drift: {{ignore: [{}]}}\n", "/service/x, ".repeat(80_000)),
        "",
        "",
    ));
    let balancers = "      - {containerName: nobody, containerPort: 1}\n".repeat(20_000);
    refused(&manifest_with(
        "",
        &format!("    loadBalancers:\n{balancers}"),
        "",
    ));
    refused(&"a: ".repeat(300_000));
    refused(&"${".repeat(500_000));
    refused(&"? ".repeat(300_000));
}

#[test]
fn control_characters_and_tabs_are_errors_with_a_place() {
    assert!(
        refused("a: b\nc: \0\n").starts_with("m.yaml:2:4: the character U+0000 may not be here")
    );
    assert!(
        refused("a: \u{1b}[31m\n").starts_with("m.yaml:1:4: the character U+001B may not be here")
    );
    assert!(
        refused("a: \u{e000}\n").starts_with("m.yaml:1:4: the character U+E000 may not be here")
    );
    // What came after it was said to be a line further down.
    assert!(
        refused("a: b\rc: d\n").starts_with("m.yaml:1:5: the character U+000D may not be here")
    );
    assert_eq!(refused("a: b\r\n"), refused("a: b\n"));
    let message = refused("a:\n\tb: c\n");
    assert!(
        message.starts_with("m.yaml:2:2: not YAML:") && message.contains("tab"),
        "{message}"
    );
}

#[test]
fn messages_carry_nothing_that_acts_on_a_terminal() {
    let text = "\"a\\eb\": 1\n\"\\u202e\": 1\n\"\\n\": 1\n";
    for line in lines(text) {
        assert!(!line.contains(['\u{1b}', '\u{202e}', '\n']), "{line:?}");
    }
}

#[test]
fn what_is_no_mapping_is_said_to_be_none() {
    assert_eq!(
        refused("[a, b]\n"),
        "m.yaml:1:1: expected a mapping, found a list (the document)"
    );
    assert_eq!(
        refused("text\n"),
        "m.yaml:1:1: expected a mapping, found a string (the document)"
    );
    assert!(refused("[a]: b\n").contains("a key must be a plain word"));
    let all = lines("a: !include x\n").join("\n");
    assert!(
        all.contains("m.yaml:1:4: the tag `!include` is not supported; remove it"),
        "{all}"
    );
}

#[test]
fn positions_hold_after_a_byte_order_mark_and_after_wide_characters() {
    let text = format!(
        "\u{feff}{}",
        manifest_with("", "", "").replace("kind: Service", "kind: Servce")
    );
    assert!(lines(&text)[0].starts_with("m.yaml:2:7: unknown value `Servce`"));
    let text = "größe: {é: ${env.NONE}}\n";
    let first = parse(text)
        .1
        .into_iter()
        .find(|one| one.message.contains("NONE"))
        .unwrap();
    assert_eq!((first.line, first.column), (1, 12));
    assert_eq!(&text[first.span.unwrap()], "${env.NONE}");
}

/// Every truncation at both ends, and every character replaced by one that means something to YAML or to us.
#[test]
fn no_mutation_of_the_example_panics() {
    let check = |text: &str| {
        let (_, diagnostics) = parse(text);
        for diagnostic in diagnostics.iter().take(1) {
            assert!(!picture(diagnostic, Some(text), false).is_empty());
        }
        for span in diagnostics
            .into_iter()
            .filter_map(|diagnostic| diagnostic.span)
        {
            assert!(text.get(span).is_some());
        }
    };
    let mut replacements = ["", "\"", "{", "$", ":", "\n", "é", "&a", "*a", "<<"]
        .iter()
        .cycle();
    for (at, character) in EXAMPLE.char_indices() {
        let (before, after) = EXAMPLE.split_at(at);
        check(before);
        check(after);
        let replacement = replacements.next().unwrap();
        check(&format!(
            "{before}{replacement}{}",
            &after[character.len_utf8()..]
        ));
    }
}
