//! The whole system on the real wire.
