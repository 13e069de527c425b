//! `evenkeel logs`: what the tasks of a service have written, in one stream.

mod told;

use std::{collections::BTreeMap, io, time::Duration};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use self::told::Told;
use crate::{
    aws::{Aws, AwsError, Class, LogLine, LogStream},
    cli::{
        exit::{self, Deadline},
        inputs,
        named::{Named, Service},
        output::{self, Format},
    },
    manifest,
};

/// How far back `logs` reads when it is not told.
const USUAL: &str = "10m";
/// Between two readings while following.
const POLL: Duration = Duration::from_secs(2);
/// How often new tasks are looked for while following.
const NEW_TASKS: Duration = Duration::from_secs(10);
/// Lines arrive this late at CloudWatch, and not in order: this much is read again, and told once.
const LATE: SignedDuration = SignedDuration::from_secs(30);
/// The most lines that are read at once; they are sorted in memory.
const MOST_LINES: usize = 200_000;
/// Arguments of `logs`.
#[derive(Debug, Args)]
#[command(
    after_help = "Of the tasks that run, and of those that stopped within the last hour, by the awslogs driver.\n-o json prints one object per line.\n\nExamples:\n  evenkeel logs api --since 1h\n  evenkeel logs api --follow\n  evenkeel logs api --task 4c1d --tail 50"
)]
pub(super) struct Logs {
    #[command(flatten)]
    named: Named,

    /// Only this container's.
    #[arg(long, value_name = "NAME")]
    container: Option<String>,

    /// Only the tasks whose id begins so.
    #[arg(long, value_name = "ID")]
    task: Option<String>,

    /// How far back, such as 90s, 10m or 2h; 10m unless --tail is given.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    since: Option<SignedDuration>,

    /// Goes on with what is written from now on, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,

    /// Only the last lines, this many.
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    tail: Option<u32>,

    /// With --follow, the time for what was written before.
    #[command(flatten)]
    deadline: Deadline,

    /// How the lines are printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    manifest::parse_duration(text)
        .and_then(|duration| SignedDuration::try_from(duration).ok())
        .filter(|duration| *duration <= SignedDuration::from_hours(24 * 365 * 10))
        .ok_or_else(|| "a duration like 90s, 10m or 2h".to_owned())
}

impl Logs {
    pub(super) async fn run(self) -> exit::Code {
        let mut reader = match self.begin().await {
            Ok(reader) => reader,
            Err(code) => return code,
        };
        let before = self.deadline.within(async {
            match reader.read_back().await {
                Ok(()) => exit::DONE,
                Err(error) => error.end(),
            }
        });
        match before.await {
            exit::DONE if self.follow => reader.follow().await.end(),
            code => code,
        }
    }

    async fn begin(&self) -> Result<Reader<'_>, exit::Code> {
        let aws = inputs::aws().await?;
        let service = self.named.find(&aws).await?;
        let usual = duration(USUAL).unwrap_or_default();
        let back = match (self.since, self.tail) {
            (Some(since), _) => Some(since),
            (None, Some(_)) => None,
            (None, None) => Some(usual),
        };
        let now = Timestamp::now();
        Ok(Reader {
            options: self,
            aws,
            service,
            streams: Vec::new(),
            since: back.map(|back| now.saturating_sub(back).unwrap_or(Timestamp::MIN)),
            newest: now,
            told: Told::default(),
        })
    }
}

/// Why reading ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("the result cannot be written: {0}")]
    Unwritten(#[from] io::Error),
    #[error("{0}")]
    Nothing(String),
}

impl Ended {
    fn end(&self) -> exit::Code {
        exit::fail(&self.to_string())
    }
}

struct Reader<'a> {
    options: &'a Logs,
    aws: Aws,
    service: Service,
    streams: Vec<LogStream>,
    /// From when on lines are wanted; `None` for ever.
    since: Option<Timestamp>,
    /// The newest line's time, or when the reading began.
    newest: Timestamp,
    told: Told,
}

impl Reader<'_> {
    async fn look_for_streams(&mut self) -> Result<(), AwsError> {
        let Service { cluster, name } = &self.service;
        let mut streams = self.aws.log_streams(cluster, name).await?;
        let Logs {
            container, task, ..
        } = self.options;
        streams.retain(|stream| {
            container
                .as_ref()
                .is_none_or(|name| stream.container == *name)
                && task.as_ref().is_none_or(|id| stream.task.starts_with(id))
        });
        self.streams = streams;
        Ok(())
    }

    /// What has been written so far.
    async fn read_back(&mut self) -> Result<(), Ended> {
        self.look_for_streams().await?;
        if self.streams.is_empty() && !self.options.follow {
            let Service { cluster, name } = &self.service;
            return Err(Ended::Nothing(format!(
                "no task of {name} ({cluster}) that runs or stopped within the last hour writes to CloudWatch by awslogs, as far as --container and --task go"
            )));
        }
        let lines = match self.options.tail {
            Some(many) => {
                self.tail(usize::try_from(many).unwrap_or(usize::MAX))
                    .await?
            }
            None => {
                self.page_through(self.since.unwrap_or(Timestamp::MIN))
                    .await?
            }
        };
        if lines.is_empty() && !self.options.follow {
            output::note("nothing was written in that time; --since looks further back");
        }
        self.tell(lines)?;
        Ok(())
    }

    async fn tail(&mut self, many: usize) -> Result<Vec<LogLine>, AwsError> {
        let mut lines = Vec::new();
        for stream in &self.streams {
            lines.extend(self.aws.log_tail(stream, self.since, many).await?);
            lines.sort_by_key(|line| line.time);
            let too_many = lines.len().saturating_sub(many);
            lines.drain(..too_many);
        }
        for line in &lines {
            self.told.note(line);
        }
        Ok(lines)
    }

    /// Every line from `since` on that has not been told, sorted.
    async fn page_through(&mut self, since: Timestamp) -> Result<Vec<LogLine>, AwsError> {
        let mut by_place: BTreeMap<_, Vec<LogStream>> = BTreeMap::new();
        for stream in &self.streams {
            let place = (&stream.group, &stream.prefix, &stream.container);
            by_place.entry(place).or_default().push(stream.clone());
        }
        let mut lines = Vec::new();
        for streams in by_place.values() {
            let mut next = None;
            loop {
                let (page, token) = self.aws.log_page(streams, since, next).await?;
                lines.extend(page.into_iter().filter(|line| self.told.note(line)));
                next = token;
                if next.is_none() {
                    break;
                }
                if lines.len() > MOST_LINES {
                    output::note(&format!(
                        "more than {MOST_LINES} lines: the later ones are left out; narrow it with --since, --task or --container"
                    ));
                    break;
                }
            }
        }
        lines.sort_by_key(|line| line.time);
        Ok(lines)
    }

    /// Goes on until it is interrupted. A reading that fails for a while is made again.
    async fn follow(&mut self) -> Ended {
        let began = self.newest;
        let mut looked = Instant::now();
        loop {
            tokio::time::sleep(POLL).await;
            let from = self.newest.saturating_sub(LATE).unwrap_or(Timestamp::MIN);
            let from = if self.options.tail.is_some() {
                from.max(began)
            } else {
                from
            };
            let read = async {
                if looked.elapsed() >= NEW_TASKS {
                    self.look_for_streams().await?;
                    looked = Instant::now();
                }
                self.page_through(from).await
            };
            match read.await {
                Ok(lines) => {
                    if let Err(error) = self.tell(lines) {
                        return error.into();
                    }
                }
                Err(error) => match error.class {
                    Class::Throttled | Class::Transient | Class::Unreachable => {
                        output::note(&format!("{error}; reading again"));
                    }
                    Class::Denied | Class::NotFound | Class::Invalid => return error.into(),
                },
            }
        }
    }

    fn tell(&mut self, lines: Vec<LogLine>) -> io::Result<()> {
        for line in lines {
            self.newest = self.newest.max(line.time);
            let text = match self.options.output {
                Format::Table => format!(
                    "{}  {} {}  {}",
                    output::when(line.time),
                    line.task.chars().take(8).collect::<String>(),
                    line.container,
                    output::shown(&line.message)
                ),
                Format::Json => serde_json::to_string(&line).map_err(io::Error::other)?,
                Format::Yaml => {
                    let yaml = serde_yaml::to_string(&line).map_err(io::Error::other)?;
                    format!("---\n{}", yaml.trim_end())
                }
            };
            output::line(&text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_in_manifests() {
        assert_eq!(duration("1h30m"), Ok(SignedDuration::from_mins(90)));
        for wrong in ["", "10", "-1m", "99999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
