//! Shows whether the client-side cache of redis-rs (`cache-aio`) keeps a value that was overtaken by the news of its change.
//!
//! A key is written a few times while it is read over a connection with the cache. Then, once all is at rest, it is read over the same
//! connection again. Redis has told this connection of every change before it answers the PING in between, so whatever is read now
//! and is not the last value stays in the cache until its time is over: Redis tells of a change once, and then thinks it forgotten.
//!
//! `REDIS_URL` names the Redis; an argument the number of rounds.

use std::env;
use std::error::Error;
use std::num::NonZeroUsize;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::caching::CacheConfig;
use redis::{AsyncCommands, AsyncConnectionConfig, Client, ProtocolVersion, RedisResult};
use tokio::runtime::{Builder, Runtime};

type Failure = Box<dyn Error>;

const ROUNDS: u32 = 10_000;
/// Of a key, while it is read.
const WRITES: u32 = 4;
/// Longer than the run, so that nothing ends by itself.
const LIFE: Duration = Duration::from_secs(600);

fn main() -> Result<(), Failure> {
    let url = env::var("REDIS_URL")?;
    let rounds = env::args().nth(1).map_or(Ok(ROUNDS), |text| text.parse())?;
    let one = Builder::new_current_thread().enable_all().build()?;
    let two = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    for (name, runtime) in [("one thread", one), ("two threads, work stealing", two)] {
        let seen = measure(&runtime, &url, rounds)?;
        println!(
            "{name}: {} reads of keys that are being written; of {rounds} reads at rest {} are stale, and {} of these keys still are at the end",
            seen.reads,
            seen.stale.len(),
            seen.stale_at_the_end,
        );
    }
    Ok(())
}

#[derive(Default)]
struct Seen {
    reads: u32,
    /// Keys of which the cache gives a value at rest that Redis does not have any more.
    stale: Vec<String>,
    stale_at_the_end: usize,
}

fn measure(runtime: &Runtime, url: &str, rounds: u32) -> Result<Seen, Failure> {
    runtime.block_on(async {
        let mut settings: redis::ConnectionInfo = url.parse()?;
        let resp3 = settings
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP3);
        settings = settings.set_redis_settings(resp3);
        let client = Client::open(settings)?;
        let cache = CacheConfig::new()
            .set_default_client_ttl(LIFE)
            .set_size(NonZeroUsize::MIN.saturating_add(2 * rounds as usize));
        let cached = AsyncConnectionConfig::new().set_cache_config(cache);
        let mut cached = client
            .get_multiplexed_async_connection_with_config(&cached)
            .await?;
        let mut plain = client.get_multiplexed_async_connection().await?;
        let _: () = redis::cmd("FLUSHDB").query_async(&mut plain).await?;
        let mut seen = Seen::default();
        for round in 0..rounds {
            let key = format!("race:{round}");
            race(&key, &mut cached, &mut plain, &mut seen).await?;
        }
        for key in &seen.stale {
            let value: u32 = cached.get(key).await?;
            seen.stale_at_the_end += usize::from(value != WRITES);
        }
        Ok(seen)
    })
}

async fn race(
    key: &str,
    cached: &mut MultiplexedConnection,
    plain: &mut MultiplexedConnection,
    seen: &mut Seen,
) -> Result<(), Failure> {
    let _: () = plain.set(key, 0).await?;
    let (mut writer, written) = (plain.clone(), key.to_owned());
    let writes = tokio::spawn(async move {
        for value in 1..=WRITES {
            writer.set::<_, _, ()>(&written, value).await?;
        }
        RedisResult::Ok(())
    });
    while !writes.is_finished() {
        let _: u32 = cached.get(key).await?;
        seen.reads += 1;
        // A read from the cache waits for nobody, and so would never let the writer's turn come.
        tokio::task::yield_now().await;
    }
    writes.await??;
    // Everything that Redis had to tell before this has been heard.
    let _: String = redis::cmd("PING").query_async(cached).await?;
    let at_rest: u32 = cached.get(key).await?;
    let truth: u32 = plain.get(key).await?;
    assert_eq!(truth, WRITES);
    if at_rest != truth {
        seen.stale.push(key.to_owned());
    }
    Ok(())
}
