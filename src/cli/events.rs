//! `evenkeel events`: what a running daemon has done and seen.

use clap::Args;

use crate::{
    cli::{
        exit,
        output::{self, Format},
        port::Port,
    },
    event::Event,
};

/// Arguments of `events`.
#[derive(Debug, Args)]
#[command(
    after_help = "Oldest first. The daemon keeps the newest in memory and begins anew when it is restarted.\n\nExample:\n  evenkeel events api"
)]
pub(super) struct Events {
    /// Only this service's: NAME or CLUSTER/NAME.
    name: Option<String>,

    #[command(flatten)]
    port: Port,

    /// How the events are printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

impl Events {
    pub(super) async fn run(self) -> exit::Code {
        self.port.within(self.ask()).await
    }

    async fn ask(&self) -> Result<exit::Code, String> {
        let mut events: Vec<Event> = self.port.get("/api/v1/events").await?;
        // It tells the newest first; a person reads on at the end.
        events.reverse();
        if let Some(name) = &self.name {
            events.retain(|event| {
                event.service == *name || *name == format!("{}/{}", event.cluster, event.service)
            });
        }
        Ok(output::print(self.output, &events, || table(&events)))
    }
}

fn table(events: &[Event]) -> String {
    let rows: Vec<_> = events
        .iter()
        .map(|event| {
            vec![
                output::when(event.time),
                event.service.clone(),
                event.cluster.clone(),
                event.kind.name().to_owned(),
                output::shown(&event.message),
            ]
        })
        .collect();
    output::columns(&["TIME", "NAME", "CLUSTER", "KIND", "MESSAGE"], &rows)
}
