//! Bytes for what Elastic Load Balancing answers: they are taken or refused, and never bring a pass down.

#![no_main]

use fuzz::{Answers, passes};
use libfuzzer_sys::fuzz_target;

/// A service at rest.
const SERVICE: &[u8] = include_bytes!("../seeds/ecs_json/at-rest.json");

fuzz_target!(|data: &[u8]| {
    passes(Answers {
        json: SERVICE.into(),
        xml: data.into(),
    });
});
