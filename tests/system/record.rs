//! What the daemon asks AWS for, written down for `tests/policy`: every test with a running system leaves a file of it in the
//! directory that EVENKEEL_RECORD names, if it does.

use std::{collections::BTreeSet, env, fs, path::PathBuf, thread};

use serde_json::{Value, json};

use crate::world::{DAEMON, try_get};

/// Writes down each different request in the emulator's journal that the daemon has made, one line of JSON each. Blocks.
pub fn record(aws: &str) -> Result<(), String> {
    let Some(directory) = env::var_os("EVENKEEL_RECORD").map(PathBuf::from) else {
        return Ok(());
    };
    let url = format!("{aws}/_emulator/journal");
    // The caller may be a task of a runtime, in which nothing may block for another of its tasks.
    let journal = thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(try_get(&url))
    });
    let journal = journal
        .join()
        .map_err(|_| "the thread has panicked".to_owned())??;
    let journal: Value =
        serde_json::from_slice(journal.body()).map_err(|error| error.to_string())?;
    let entries = journal["entries"].as_array().ok_or("it has no entries")?;
    if entries.first().is_some_and(|first| first["seq"] != 0) {
        return Err("there have been more calls than the journal keeps".to_owned());
    }
    let lines: BTreeSet<_> = entries
        .iter()
        .filter(|entry| entry["caller"] == DAEMON)
        .map(|entry| {
            let [service, operation, input] =
                ["service", "operation", "input"].map(|key| &entry[key]);
            json!({"service": service, "operation": operation, "input": input}).to_string() + "\n"
        })
        .collect();
    let test = thread::current()
        .name()
        .unwrap_or("unnamed")
        .replace("::", ".");
    let (_, port) = aws.rsplit_once(':').unwrap_or_default();
    fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    let file = directory.join(format!("{test}-{port}.jsonl"));
    fs::write(&file, lines.into_iter().collect::<String>()).map_err(|error| error.to_string())
}
