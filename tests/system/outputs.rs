//! One manifest does for the laptop and for AWS: `make up` and Terraform give it the same outputs.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::world::World;

/// What `terraform output -json` says of an applied configuration, with made-up values.
const OF_TERRAFORM: &str = "terraform/tests/outputs.json";

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Names and types of the outputs in a file.
fn outputs(path: &Path) -> BTreeMap<String, Value> {
    let text = fs::read_to_string(path).unwrap();
    let outputs: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    let typed = outputs
        .into_iter()
        .map(|(name, output)| (name, output["type"].clone()));
    typed.collect()
}

/// The names that Terraform writes into `terraform.json`; its other outputs are for people.
fn published() -> Vec<String> {
    let text = fs::read_to_string(root("terraform/outputs.tf")).unwrap();
    let (_, rest) = text.split_once("  published = {\n").unwrap();
    let (published, _) = rest.split_once("\n  }").unwrap();
    let names = published
        .lines()
        .map(|line| line.split_once(" = ").unwrap().0.trim().to_owned());
    names.collect()
}

/// What `evenkeel validate` says of every manifest with the outputs in `path`.
fn validate(path: &Path) -> String {
    let validated = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .arg("validate")
        .arg(root("manifests"))
        .arg("--terraform-outputs")
        .arg(path)
        .output()
        .unwrap();
    let said = [validated.stdout, validated.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(
        validated.status.success(),
        "with {}:\n{said}",
        path.display()
    );
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_laptop_and_terraform_give_manifests_the_same_outputs() {
    let world = World::start().await;
    let local = world.state().join("terraform.json");
    let of_terraform = outputs(&root(OF_TERRAFORM));
    let expected: BTreeMap<String, Value> = published()
        .into_iter()
        .map(|name| {
            let of_type = of_terraform.get(&name);
            let of_type = of_type.unwrap_or_else(|| panic!("{OF_TERRAFORM} lacks {name}"));
            (name, of_type.clone())
        })
        .collect();
    assert_eq!(
        outputs(&local),
        expected,
        "left: `make up`, right: terraform/outputs.tf"
    );

    for path in [local, root(OF_TERRAFORM)] {
        let said = validate(&path);
        assert!(said.contains("ok api"), "{said}");
        assert!(!said.contains("not checked"), "{said}");
    }

    // The running API got its password as on AWS: from a secret of its own.
    let secrets = fs::read_to_string(world.state().join("secrets.json")).unwrap();
    let secrets: BTreeMap<String, String> = serde_json::from_str(&secrets).unwrap();
    let password = secrets
        .values()
        .find_map(|value| {
            serde_json::from_str::<Value>(value).ok()?["password"]
                .as_str()
                .map(str::to_owned)
        })
        .unwrap();
    assert!(!password.is_empty());
    assert!(
        secrets
            .values()
            .all(|value| !value.starts_with("postgres") || !value.contains(&password))
    );
}
