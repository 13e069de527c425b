//! How containers end, and that nothing is left of them.

use super::*;

#[tokio::test]
async fn a_descendant_that_keeps_the_pipe_does_not_hold_up_the_end() {
    let mut world = World::start().await;
    // `setsid` takes it out of the process group, as a daemon does.
    let script = "setsid sleep 60 & echo $!; exit 1";
    world.launch(vec![world.container("api", script)]);
    let before = Instant::now();
    let (lines, code) = world.end().await;
    assert_eq!(code, 1);
    assert!(before.elapsed() < Duration::from_secs(15));
    let pid = nix::unistd::Pid::from_raw(lines[0].parse().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn what_the_process_started_ends_with_it() {
    let mut world = World::start().await;
    world.launch(vec![world.container("api", "sleep 600 & echo $!; exit 0")]);
    let (lines, _) = world.end().await;
    let pid: i32 = lines[0].parse().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while lives(pid) {
        assert!(Instant::now() < deadline, "{pid} still runs");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn stopping_is_sigterm_first() {
    let mut world = World::start().await;
    let script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done";
    world.launch(vec![world.container("api", script)]);
    world.line("up").await;
    world.driver.stop_task(TASK);
    assert_eq!(world.end().await, (vec!["bye".to_owned()], 0));
    assert!(lock(&world.driver.stops).is_empty() || world.driver.running.len() <= 1);
}

#[tokio::test]
async fn what_ignores_sigterm_is_killed_after_its_stop_timeout() {
    let mut world = World::start().await;
    let mut container =
        world.container("api", "trap '' TERM; echo up; while :; do sleep 0.05; done");
    container.stop_timeout = Duration::from_millis(300);
    world.launch(vec![container]);
    world.line("up").await;
    let before = Instant::now();
    world.driver.stop_task(TASK);
    assert_eq!(world.end().await.1, 137);
    assert!(before.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_signal_is_128_and_its_number() {
    let mut world = World::start().await;
    world.launch(vec![world.container("api", "kill -TERM $$")]);
    assert_eq!(world.end().await.1, 143);
}

#[tokio::test]
async fn the_end_of_the_driver_ends_every_process() {
    let mut world = World::start().await;
    world.launch(vec![world.container(
        "api",
        "trap '' TERM; echo up; while :; do sleep 0.05; done",
    )]);
    world.line("up").await;
    let pid = world.pid();
    assert!(lives(pid));
    let World {
        driver,
        events,
        state,
    } = world;
    drop(events);
    driver.shutdown().await;
    assert!(!lives(pid));
    assert_eq!(fs::read(state.path().join("tasks.pids")).unwrap(), b"[]");
}

#[tokio::test]
async fn a_new_driver_ends_what_a_killed_one_left() {
    let mut world = World::start().await;
    world.launch(vec![world.container("api", "echo up; exec sleep 600")]);
    world.line("up").await;
    let pid = world.pid();
    let (sender, _events) = mpsc::channel(1);
    let path = world.state.path();
    let _next = Driver::start(path, path, Clock::start(), sender)
        .await
        .unwrap();
    assert!(!lives(pid));
    assert_eq!(world.end().await.1, 143);
}
