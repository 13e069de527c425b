"""The same contract on FastAPI: redis-py with hiredis, asyncpg, orjson; uvicorn runs two workers of it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import orjson
import redis.asyncio as redis
from fastapi import FastAPI, Response
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

TTL_SECONDS = 60
REDIS_CONNECTIONS = 256  # as many as requests at once, so that none waits
REDIS_DEADLINE = 0.1
POSTGRES_CONNECTIONS = 10
POSTGRES_DEADLINE = 2.0
FIND = "SELECT id, name, description, price_cents, version, updated_at FROM items WHERE id = $1"

cache = redis.Redis.from_url(
    os.environ["REDIS_URL"],
    max_connections=REDIS_CONNECTIONS,
    socket_timeout=REDIS_DEADLINE,
    socket_connect_timeout=REDIS_DEADLINE,
    retry=Retry(NoBackoff(), 0),  # while Redis is away, PostgreSQL is asked at once
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.postgres = await asyncpg.create_pool(
        os.environ["DATABASE_URL"],
        min_size=POSTGRES_CONNECTIONS,
        max_size=POSTGRES_CONNECTIONS,
        timeout=POSTGRES_DEADLINE,
        command_timeout=POSTGRES_DEADLINE,
    )
    yield
    await app.state.postgres.close()
    await cache.aclose()


app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)


@app.get("/items/{item_id}")
async def item(item_id: int) -> Response:
    key = f"fastapi:item:{item_id}"
    available = True
    try:
        if (json := await cache.get(key)) is not None:
            return Response(json, media_type="application/json")
    except (RedisError, OSError):
        available = False
    try:
        row = await app.state.postgres.fetchrow(FIND, item_id)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        return Response(status_code=503)
    if row is None:
        return Response(status_code=404)
    json = orjson.dumps(dict(row))
    # Only a Redis that has just answered is told.
    if available:
        with suppress(RedisError, OSError):
            await cache.set(key, json, ex=TTL_SECONDS)
    return Response(json, media_type="application/json")
