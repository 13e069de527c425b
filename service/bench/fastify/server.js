// The same contract on fastify: ioredis with automatic pipelining, pg with a named statement, two processes.
"use strict";

const cluster = require("node:cluster");

const PROCESSES = 2;
const TTL_SECONDS = 60;
const REDIS_DEADLINE_MS = 100;
const POSTGRES_CONNECTIONS = 10;
const POSTGRES_DEADLINE_MS = 2000;
const FIND = {
  name: "find",
  text: "SELECT id, name, description, price_cents, version, updated_at FROM items WHERE id = $1",
};

if (cluster.isPrimary) {
  for (let i = 0; i < PROCESSES; i += 1) cluster.fork();
} else {
  serve();
}

function connectRedis() {
  const { Redis } = require("ioredis");
  const redis = new Redis(process.env.REDIS_URL, {
    enableAutoPipelining: true,
    enableOfflineQueue: false, // while Redis is away, calls fail at once
    maxRetriesPerRequest: 0,
    commandTimeout: REDIS_DEADLINE_MS,
    connectTimeout: 500,
    retryStrategy: () => 100,
  });
  redis.on("error", () => {}); // told by the calls
  return redis;
}

function connectPostgres() {
  const { Pool, types } = require("pg");
  types.setTypeParser(types.builtins.INT8, Number);
  const pool = new Pool({
    connectionString: process.env.DATABASE_URL,
    max: POSTGRES_CONNECTIONS,
    connectionTimeoutMillis: POSTGRES_DEADLINE_MS,
    query_timeout: POSTGRES_DEADLINE_MS,
  });
  pool.on("error", () => {}); // an idle connection that ended
  return pool;
}

async function serve() {
  const redis = connectRedis();
  const postgres = connectPostgres();
  const app = require("fastify")({ logger: false });

  app.get("/items/:id", async (request, reply) => {
    const id = Number(request.params.id);
    if (!Number.isSafeInteger(id)) return reply.code(404).send();
    const key = `fastify:item:${id}`;
    let available = true;
    let json = null;
    try {
      json = await redis.get(key);
    } catch {
      available = false;
    }
    if (json === null) {
      let rows;
      try {
        ({ rows } = await postgres.query({ ...FIND, values: [id] }));
      } catch {
        return reply.code(503).send();
      }
      if (rows.length === 0) return reply.code(404).send();
      json = JSON.stringify(rows[0]);
      // Only a Redis that has just answered is told.
      if (available) await redis.set(key, json, "EX", TTL_SECONDS).catch(() => {});
    }
    reply.type("application/json");
    return json;
  });

  await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
}
