//! Clients of the API, to see what they see while it is being changed.

use std::{collections::BTreeMap, time::Duration};

use hyper::StatusCode;

use crate::world::{World, client, fetch};

/// Clients that ask for items without a pause, until told to stop.
pub struct Load {
    stop: tokio_util::sync::CancellationToken,
    clients: tokio::task::JoinSet<Answers>,
}

/// What the clients were answered.
#[derive(Debug, Default)]
pub struct Answers {
    /// Good answers by `Server`.
    pub good: BTreeMap<String, u64>,
    /// Everything else.
    pub bad: Vec<String>,
}

impl Load {
    /// Starts asking.
    pub fn start(world: &World) -> Self {
        let stop = tokio_util::sync::CancellationToken::new();
        let mut clients = tokio::task::JoinSet::new();
        for number in 0..4 {
            let (stop, base) = (stop.clone(), world.endpoints.load_balancer.clone());
            clients.spawn(async move {
                let client = client();
                let mut answers = Answers::default();
                for turn in 0_u64.. {
                    if stop.is_cancelled() {
                        break;
                    }
                    let url = format!("{base}/items/{}", (number * 251 + turn) % 1_000 + 1);
                    match fetch(&client, &url).await {
                        Ok(response) if response.status() == StatusCode::OK => {
                            let server = response.headers()["server"].to_str().unwrap().to_owned();
                            *answers.good.entry(server).or_default() += 1;
                        }
                        Ok(response) => answers.bad.push(format!("{url}: {}", response.status())),
                        Err(error) => answers.bad.push(format!("{url}: {error}")),
                    }
                    // A steady load, not a race for the machine's two cores.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                answers
            });
        }
        Self { stop, clients }
    }

    /// Stops asking; all answers together.
    pub async fn stop(mut self) -> Answers {
        self.stop.cancel();
        let mut all = Answers::default();
        while let Some(answers) = self.clients.join_next().await {
            let answers = answers.unwrap();
            for (server, many) in answers.good {
                *all.good.entry(server).or_default() += many;
            }
            all.bad.extend(answers.bad);
        }
        all
    }
}
