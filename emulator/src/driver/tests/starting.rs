//! What a process is given, and what comes of it.

use super::*;

#[tokio::test]
async fn the_environment_is_image_then_definition_then_ours_and_nothing_else() {
    let mut world = World::start().await;
    let mut container = world.container("api", "env; echo args: \"$@\"");
    let map = |pairs: &[(&str, &str)]| {
        let owned = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        owned.collect::<BTreeMap<String, String>>()
    };
    container.image.env = map(&[("A", "image"), ("B", "image"), ("PORT", "image")]);
    container.environment = map(&[("B", "definition"), ("HOST", "definition")]);
    container.image.args = vec!["one".into(), "two words".into()];
    container.ports = vec![
        Port {
            name: Some("web-1".into()),
            container_port: 80,
        },
        Port {
            name: Some("metrics".into()),
            container_port: 9100,
        },
    ];
    world.launch(vec![container]);
    world.started().await;
    let address = Ipv4Addr::new(10, 0, 0, 4);
    let web = world.driver.addresses().find(address, 80).unwrap();
    let metrics = world.driver.addresses().find(address, 9100).unwrap();
    let (mut lines, code) = world.end().await;
    assert_eq!(code, 0);
    lines.retain(|line| !line.starts_with("PWD=") && !line.starts_with("_="));
    lines.sort();
    let port = web.port();
    assert_eq!(
        lines,
        [
            "A=image".to_owned(),
            "B=definition".to_owned(),
            "HOST=127.0.0.1".to_owned(),
            format!("METRICS_PORT={}", metrics.port()),
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            format!("PORT={port}"),
            format!("WEB_1_PORT={port}"),
            "args: one two words".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_command_replaces_the_images_arguments() {
    let mut world = World::start().await;
    let mut container = world.container("api", "echo \"$#:$*\"");
    container.image.args = vec!["image".into()];
    container.command = Some(vec!["given".into(), "args".into()]);
    world.launch(vec![container]);
    assert_eq!(world.end().await, (vec!["2:given args".to_owned()], 0));
}

#[tokio::test]
async fn all_output_comes_before_the_end() {
    let mut world = World::start().await;
    let script = "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done; echo last >&2; printf tail; exit 3";
    world.launch(vec![world.container("api", script)]);
    let (lines, code) = world.end().await;
    assert_eq!(code, 3);
    assert_eq!(lines.len(), 5_002);
    assert!(lines.contains(&"last".into()) && lines.contains(&"tail".into()));
    world.until_empty("tasks.pids").await;
}

#[tokio::test]
async fn a_container_that_cannot_start_stops_the_others() {
    let mut world = World::start().await;
    let first = world.container("first", "sleep 600");
    let mut missing = world.container("missing", "");
    missing.image.executable = format!("sha256:{}", "0".repeat(64));
    missing.environment = BTreeMap::from([("TOKEN".into(), "s3cret".into())]);
    world.launch(vec![first, missing]);
    let Event::TaskFailedToStart { reason, .. } = world.event().await else {
        panic!("it did start");
    };
    assert!(reason.starts_with("CannotPullContainerError: the executable is not at /"));
    assert!(!reason.contains("s3cret"));
    assert_eq!(world.end().await.1, 143);
    world.until_empty("tasks.pids").await;
}

#[tokio::test]
async fn what_is_not_a_digest_or_not_a_program_is_said() {
    for (executable, word) in [
        ("sha256:../../../bin/sh", "CannotPullContainerError"),
        ("bin/sh", "CannotPullContainerError"),
        ("", "CannotPullContainerError"),
    ] {
        let mut world = World::start().await;
        let mut container = world.container("api", "");
        container.image.executable = executable.into();
        world.launch(vec![container]);
        let Event::TaskFailedToStart { reason, .. } = world.event().await else {
            panic!("it did start");
        };
        assert!(reason.starts_with(word), "{reason}");
    }
    let mut world = World::start().await;
    let container = world.container("api", "");
    let digest = container.image.executable.trim_start_matches("sha256:");
    let path = world.state.path().join("sha256").join(digest);
    fs::write(&path, [0x7f, b'E', b'L', b'F', 0, 0]).unwrap();
    world.launch(vec![container]);
    let Event::TaskFailedToStart { reason, .. } = world.event().await else {
        panic!("it did start");
    };
    assert!(
        reason.starts_with("CannotStartContainerError: /"),
        "{reason}"
    );
}
