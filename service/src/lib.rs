//! A cache-aside HTTP API: Redis first, PostgreSQL on a miss.
