//! Figures as tables.

use std::{fmt::Write, time::Duration};

use crate::measure::Figures;

/// Calls per resync and per service of one size.
pub fn of_size(figures: &Figures) -> String {
    let mut text = String::new();
    let Figures {
        services, clusters, ..
    } = figures;
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "### {services} services, {clusters} clusters\n\n| | calls per resync | per service |\n|---|---:|---:|"
    );
    for (operation, calls) in &figures.calls {
        let _ = writeln!(
            text,
            "| {operation} | {calls:.1} | {:.3} |",
            calls / *services as f64
        );
    }
    text
}

/// Everything else, a line for each size.
pub fn of_all(all: &[Figures]) -> String {
    let mut text = "| services | first turn | turn | described twice | CPU s a resync | ms per service and look | MiB at rest | at most | with the edit of all | edit to write p50 | p99 | \
         one rollout | all | bound | of it |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for figures in all {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {:.3} | {:.3} | {:.1} | {:.1} | {:.1} | {} | {} | {} | {} | {} | {:.2} |",
            figures.services,
            seconds(figures.first_turn),
            seconds(figures.turn),
            figures.described_twice,
            figures.cpu.as_secs_f64(),
            milliseconds_of_a_look(figures),
            mebibytes(figures.memory.at_rest),
            mebibytes(figures.memory.most),
            mebibytes(figures.memory.most_of_all),
            milliseconds(percentile(&figures.edits, 50)),
            milliseconds(percentile(&figures.edits, 99)),
            seconds(figures.rollout),
            seconds(figures.convergence),
            seconds(figures.bound),
            figures.convergence.as_secs_f64() / figures.bound.as_secs_f64(),
        );
    }
    text
}

/// CPU time. Each service is looked at once a turn, and at most once a resync.
fn milliseconds_of_a_look(figures: &Figures) -> f64 {
    let resyncs = figures
        .turn
        .max(figures.resync)
        .div_duration_f64(figures.resync);
    figures.cpu.as_secs_f64() * 1e3 * resyncs / figures.services as f64
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

fn seconds(time: Duration) -> String {
    format!("{:.0} s", time.as_secs_f64())
}

fn milliseconds(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}
