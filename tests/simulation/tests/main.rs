//! The reconciler in virtual time, and its judge. One binary, as each one links the SDK.

mod rest;
mod scenarios;
