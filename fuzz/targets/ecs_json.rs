//! Bytes for what ECS, CloudWatch Logs and ECR answer: they are taken or refused, and never bring a pass down.

#![no_main]

use fastrand::Rng;
use fuzz::{Answers, mutate, passes};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use serde_json::Value;

/// Three targets of the service's, all healthy.
const TARGETS: &[u8] = include_bytes!("../seeds/elb_xml/healthy");

fuzz_target!(|data: &[u8]| {
    passes(Answers {
        json: data.into(),
        xml: TARGETS.into(),
    });
});

// Mostly other documents, at times other bytes.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut rng = Rng::with_seed(seed.into());
    let document = serde_json::from_slice(&data[..size]).ok();
    let changed = document
        .filter(|_| rng.u8(..8) > 0)
        .and_then(|mut document: Value| {
            for _ in 0..rng.usize(1..4) {
                mutate(&mut document, &mut rng);
            }
            let bytes = serde_json::to_vec(&document).ok()?;
            (bytes.len() <= max_size).then_some(bytes)
        });
    match changed {
        Some(bytes) => {
            data[..bytes.len()].copy_from_slice(&bytes);
            bytes.len()
        }
        None => fuzzer_mutate(data, size, max_size),
    }
});
