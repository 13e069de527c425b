//! The same contract on axum: deadpool's pools for Redis and PostgreSQL, two worker threads.

use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, Utc};
use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod};
use deadpool_redis::redis::AsyncCommands;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::time::timeout;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn Error + Send + Sync>;

const TTL_SECONDS: u64 = 60;
const REDIS_CONNECTIONS: usize = 16;
const REDIS_DEADLINE: Duration = Duration::from_millis(100);
const POSTGRES_CONNECTIONS: usize = 16;
const POSTGRES_DEADLINE: Duration = Duration::from_secs(2);
const FIND: &str =
    "SELECT id, name, description, price_cents, version, updated_at FROM items WHERE id = $1";

struct Stores {
    redis: deadpool_redis::Pool,
    postgres: deadpool_postgres::Pool,
}

#[derive(Serialize)]
struct Item {
    id: i64,
    name: String,
    description: String,
    price_cents: i64,
    version: i64,
    updated_at: DateTime<Utc>,
}

fn main() -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(serve())
}

async fn serve() -> Result<(), Failure> {
    let port: u16 = std::env::var("PORT")?.parse()?;
    let stores = Stores {
        redis: redis(&std::env::var("REDIS_URL")?)?,
        postgres: postgres(&std::env::var("DATABASE_URL")?)?,
    };
    let app = Router::new()
        .route("/items/{id}", get(item))
        .with_state(Arc::new(stores));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    axum::serve(listener, app).await?;
    Ok(())
}

fn redis(url: &str) -> Result<deadpool_redis::Pool, Failure> {
    let pool = deadpool_redis::Config::from_url(url)
        .builder()?
        .max_size(REDIS_CONNECTIONS)
        .runtime(deadpool_redis::Runtime::Tokio1)
        .build()?;
    Ok(pool)
}

fn postgres(url: &str) -> Result<deadpool_postgres::Pool, Failure> {
    let settings = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = Manager::from_config(url.parse()?, tokio_postgres::NoTls, settings);
    let pool = deadpool_postgres::Pool::builder(manager)
        .max_size(POSTGRES_CONNECTIONS)
        .runtime(deadpool_postgres::Runtime::Tokio1)
        .build()?;
    Ok(pool)
}

async fn item(State(stores): State<Arc<Stores>>, Path(id): Path<i64>) -> Response {
    let key = format!("axum:item:{id}");
    let cached = within(REDIS_DEADLINE, stores.cached(&key)).await;
    if let Ok(Some(json)) = cached {
        return found(json);
    }
    let json = match within(POSTGRES_DEADLINE, stores.stored(id)).await {
        Ok(Some(json)) => json,
        Ok(None) => return StatusCode::NOT_FOUND.into_response(),
        Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    // Only a Redis that has just answered is told.
    if cached.is_ok() {
        let _ = within(REDIS_DEADLINE, stores.keep(&key, &json)).await;
    }
    found(json)
}

fn found(json: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}

async fn within<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    timeout(deadline, work).await?
}

impl Stores {
    async fn cached(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.redis.get().await?.get(key).await?)
    }

    async fn keep(&self, key: &str, json: &[u8]) -> Result<(), Failure> {
        let () = self
            .redis
            .get()
            .await?
            .set_ex(key, json, TTL_SECONDS)
            .await?;
        Ok(())
    }

    async fn stored(&self, id: i64) -> Result<Option<Vec<u8>>, Failure> {
        let client = self.postgres.get().await?;
        let statement = client.prepare_cached(FIND).await?;
        let Some(row) = client.query_opt(&statement, &[&id]).await? else {
            return Ok(None);
        };
        let item = Item {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            description: row.try_get(2)?,
            price_cents: row.try_get(3)?,
            version: row.try_get(4)?,
            updated_at: row.try_get(5)?,
        };
        Ok(Some(serde_json::to_vec(&item)?))
    }
}
