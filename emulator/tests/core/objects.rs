//! S3: what is written is there at once, and conditions hold.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use emulator::{
    core::{Call, Service, Settings, is_write},
    faults::{Answer, FaultEffect, FaultPlan, FaultRule, ServiceName, Unreliable},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::world::{ACCOUNT, REGION, World};

/// Calls S3 for the status and code, which is `OK` when it succeeds.
fn call(world: &mut World, operation: &str, input: Value) -> Result<Value, (u16, &'static str)> {
    let reply = world.call(Service::S3, operation, input);
    reply.map_err(|error| (error.status, error.code))
}

fn with_bucket() -> World {
    let mut world = World::new();
    call(&mut world, "CreateBucket", json!({ "Bucket": "shop" })).unwrap();
    world
}

fn put(
    world: &mut World,
    key: &str,
    content: &[u8],
    condition: Value,
) -> Result<String, (u16, &'static str)> {
    let mut input = condition;
    input["Bucket"] = json!("shop");
    input["Key"] = json!(key);
    input["Body"] = json!(STANDARD.encode(content));
    call(world, "PutObject", input).map(|reply| reply["ETag"].as_str().unwrap().to_owned())
}

fn get(world: &mut World, key: &str) -> Result<Vec<u8>, (u16, &'static str)> {
    let got = call(world, "GetObject", json!({ "Bucket": "shop", "Key": key }))?;
    Ok(STANDARD.decode(got["Body"].as_str().unwrap()).unwrap())
}

/// Keys and prefixes of a page, and its token.
fn page(world: &mut World, mut how: Value) -> (Vec<String>, Option<String>) {
    how["Bucket"] = json!("shop");
    let listed = call(world, "ListObjectsV2", how).unwrap();
    let texts = |list: &str, member: &str| -> Vec<String> {
        let items = listed[list].as_array().cloned().unwrap_or_default();
        let texts = items
            .iter()
            .map(|it| it[member].as_str().unwrap().to_owned());
        texts.collect()
    };
    let mut names = texts("Contents", "Key");
    names.extend(texts("CommonPrefixes", "Prefix"));
    names.sort();
    assert_eq!(listed["KeyCount"], names.len());
    let token = listed["NextContinuationToken"].as_str().map(str::to_owned);
    assert_eq!(listed["IsTruncated"], token.is_some());
    (names, token)
}

#[test]
fn what_is_written_is_there_at_once() {
    let mut world = with_bucket();
    let etag = put(&mut world, "a", b"hello", json!({})).unwrap();
    assert_eq!(etag, "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_eq!(get(&mut world, "a").unwrap(), b"hello");
    put(&mut world, "a", b"", json!({})).unwrap();
    assert_eq!(get(&mut world, "a").unwrap(), b"");
    let input = json!({ "Bucket": "shop", "Key": "a" });
    let seen = call(&mut world, "HeadObject", input.clone()).unwrap();
    assert_eq!(
        seen,
        json!({
            "ETag": "\"d41d8cd98f00b204e9800998ecf8427e\"", "LastModified": "2026-10-01T12:00:00.000Z",
            "ContentLength": 0, "ContentType": "binary/octet-stream",
        })
    );
    for _ in 0..2 {
        call(&mut world, "DeleteObject", input.clone()).unwrap();
    }
    assert_eq!(get(&mut world, "a"), Err((404, "NoSuchKey")));
}

#[test]
fn only_one_of_two_takes_a_lease() {
    let mut world = with_bucket();
    let absent = json!({ "IfNoneMatch": "*" });
    let first = put(&mut world, "lease", b"1", absent.clone()).unwrap();
    let refused = Err((412, "PreconditionFailed"));
    assert_eq!(put(&mut world, "lease", b"2", absent), refused);
    let unchanged = json!({ "IfMatch": first });
    let second = put(&mut world, "lease", b"2", unchanged.clone()).unwrap();
    assert_eq!(put(&mut world, "lease", b"3", unchanged.clone()), refused);
    assert_eq!(get(&mut world, "lease").unwrap(), b"2");
    let missing = Err((404, "NoSuchKey"));
    assert_eq!(put(&mut world, "other", b"1", unchanged), missing);
    let bare = json!({ "IfMatch": second.trim_matches('"') });
    put(&mut world, "lease", b"3", bare).unwrap();
    for unknown in [
        json!({ "IfNoneMatch": second }),
        json!({ "IfMatch": "*" }),
        json!({ "IfMatch": second, "IfNoneMatch": "*" }),
    ] {
        let refused = Err((501, "NotImplemented"));
        assert_eq!(put(&mut world, "lease", b"4", unknown), refused);
    }
}

#[test]
fn reads_have_conditions_too() {
    let mut world = with_bucket();
    let etag = put(&mut world, "a", b"a", json!({})).unwrap();
    for operation in ["GetObject", "HeadObject"] {
        let mut read = |condition: &str, etag: &str| {
            let input = json!({ "Bucket": "shop", "Key": "a", condition: etag });
            call(&mut world, operation, input).map(|_| ())
        };
        assert_eq!(read("IfMatch", &etag), Ok(()));
        assert_eq!(read("IfMatch", "*"), Ok(()));
        assert_eq!(read("IfMatch", "\"x\""), Err((412, "PreconditionFailed")));
        assert_eq!(read("IfNoneMatch", &etag), Err((304, "NotModified")));
        assert_eq!(read("IfNoneMatch", "\"x\""), Ok(()));
    }
}

#[test]
fn pages_have_every_name_once_whatever_comes_and_goes() {
    let mut world = with_bucket();
    for key in ["a", "b/1", "b/2", "b0", "c/1", "d"] {
        put(&mut world, key, b"", json!({})).unwrap();
    }
    let (names, token) = page(&mut world, json!({ "Delimiter": "/" }));
    assert_eq!(
        (names, token),
        (strings(&["a", "b/", "b0", "c/", "d"]), None)
    );
    let (names, token) = page(&mut world, json!({ "Delimiter": "/", "MaxKeys": 2 }));
    assert_eq!(names, strings(&["a", "b/"]));
    put(&mut world, "b/3", b"", json!({})).unwrap();
    put(&mut world, "aa", b"", json!({})).unwrap();
    let next = json!({ "Delimiter": "/", "MaxKeys": 3, "ContinuationToken": token });
    let (names, token) = page(&mut world, next);
    assert_eq!((names, token), (strings(&["b0", "c/", "d"]), None));

    for (how, expected) in [
        (json!({ "Prefix": "b/" }), vec!["b/1", "b/2", "b/3"]),
        (json!({ "Prefix": "b", "Delimiter": "/" }), vec!["b/", "b0"]),
        (
            json!({ "Prefix": "b/", "StartAfter": "b/1" }),
            vec!["b/2", "b/3"],
        ),
        (
            json!({ "Delimiter": "/", "StartAfter": "b/2" }),
            vec!["b/", "b0", "c/", "d"],
        ),
        (json!({ "Delimiter": "", "Prefix": "c" }), vec!["c/1"]),
        (json!({ "MaxKeys": 0 }), vec![]),
        (json!({ "Prefix": "é" }), vec![]),
    ] {
        let shown = how.to_string();
        assert_eq!(page(&mut world, how), (strings(&expected), None), "{shown}");
    }
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn buckets_have_one_owner_and_go_when_they_are_empty() {
    let mut world = with_bucket();
    let shop = json!({ "Bucket": "shop" });
    // The world is not us-east-1.
    let again = call(&mut world, "CreateBucket", shop.clone());
    assert_eq!(again, Err((409, "BucketAlreadyOwnedByYou")));
    let located = |bucket: &str, region: &str| {
        let configuration = json!({ "LocationConstraint": region });
        json!({ "Bucket": bucket, "CreateBucketConfiguration": configuration })
    };
    call(&mut world, "CreateBucket", located("here", REGION)).unwrap();
    let elsewhere = call(&mut world, "CreateBucket", located("there", "us-west-2"));
    assert_eq!(elsewhere, Err((400, "IllegalLocationConstraintException")));
    let listed = call(&mut world, "ListBuckets", json!({})).unwrap();
    assert_eq!(listed["Buckets"][0]["Name"], "here");
    assert_eq!(listed["Buckets"].as_array().unwrap().len(), 2);
    let owned = json!({ "Bucket": "shop", "ExpectedBucketOwner": ACCOUNT });
    let seen = call(&mut world, "HeadBucket", owned).unwrap();
    assert_eq!(seen, json!({ "BucketRegion": REGION }));
    let foreign = json!({ "Bucket": "shop", "ExpectedBucketOwner": "000000000000" });
    assert_eq!(
        call(&mut world, "HeadBucket", foreign),
        Err((403, "AccessDenied"))
    );
    put(&mut world, "a", b"", json!({})).unwrap();
    let full = call(&mut world, "DeleteBucket", shop.clone());
    assert_eq!(full, Err((409, "BucketNotEmpty")));
    call(
        &mut world,
        "DeleteObject",
        json!({ "Bucket": "shop", "Key": "a" }),
    )
    .unwrap();
    call(&mut world, "DeleteBucket", shop.clone()).unwrap();
    assert_eq!(
        call(&mut world, "HeadBucket", shop),
        Err((404, "NoSuchBucket"))
    );
}

#[test]
fn everything_is_bounded() {
    let mut world = with_bucket();
    let long = vec![0; 5 * 1024 * 1024 + 1];
    let refused = Err((400, "EntityTooLarge"));
    assert_eq!(put(&mut world, "a", &long, json!({})), refused);
    let largest = &long[1..];
    for number in 0..12 {
        put(&mut world, &format!("{number}"), largest, json!({})).unwrap();
    }
    let refused = Err((400, "InvalidRequest"));
    assert_eq!(put(&mut world, "12", largest, json!({})), refused);
    put(&mut world, "11", largest, json!({})).unwrap();
    put(&mut world, "small", b"", json!({})).unwrap();
    let refused = Err((400, "KeyTooLongError"));
    assert_eq!(put(&mut world, &"k".repeat(1_025), b"", json!({})), refused);
    put(&mut world, &"k".repeat(1_024), b"", json!({})).unwrap();
    for number in 1..100 {
        let input = json!({ "Bucket": format!("bucket-{number}") });
        call(&mut world, "CreateBucket", input).unwrap();
    }
    let one_more = call(&mut world, "CreateBucket", json!({ "Bucket": "one-more" }));
    assert_eq!(one_more, Err((400, "TooManyBuckets")));
}

#[test]
fn nonsense_is_refused() {
    let members = [
        "Bucket",
        "Key",
        "Body",
        "IfMatch",
        "IfNoneMatch",
        "Prefix",
        "Delimiter",
        "MaxKeys",
        "ContinuationToken",
        "StartAfter",
        "EncodingType",
        "CreateBucketConfiguration",
        "VersionId",
    ];
    let operations = [
        "CreateBucket",
        "HeadBucket",
        "ListBuckets",
        "DeleteBucket",
        "PutObject",
        "GetObject",
        "HeadObject",
        "DeleteObject",
        "ListObjectsV2",
    ];
    let mut world = with_bucket();
    put(&mut world, "a", b"a", json!({})).unwrap();
    for operation in operations {
        for member in members {
            for value in [
                json!(-1),
                json!(1e300),
                json!("\u{0}é/"),
                json!([{}]),
                json!({ "x": 1 }),
                json!(true),
            ] {
                let mut input = json!({ "Bucket": "shop", "Key": "b" });
                input[member] = value;
                if let Err((status, code)) = call(&mut world, operation, input) {
                    assert!((400..=501).contains(&status) && !code.is_empty());
                }
            }
        }
    }
    assert_eq!(get(&mut world, "a").unwrap(), b"a");
    for (operation, write) in operations.map(|it| (it, !it.starts_with(['H', 'L', 'G']))) {
        assert_eq!(is_write(Service::S3, operation), write, "{operation}");
    }
}

#[test]
fn reads_do_not_lag_and_faults_have_s3s_words() {
    let mut cloud = Unreliable::new(Settings {
        account: ACCOUNT.into(),
        region: REGION.into(),
        speed: 1.0,
        seed: 1,
        secrets: Default::default(),
    });
    let mut now: Timestamp = "2026-10-01T12:00:00Z".parse().unwrap();
    let mut ask = |effect: FaultEffect, operation: &str, input: Value| {
        let rule = FaultRule {
            service: Some(ServiceName::S3),
            operation: None,
            caller: None,
            times: None,
            probability: None,
            seconds: None,
            effect,
        };
        let plan = FaultPlan {
            rules: vec![rule],
            ..FaultPlan::default()
        };
        cloud.set_faults(plan, now).unwrap();
        now += Duration::from_secs(1);
        let call = Call {
            service: Service::S3,
            operation: operation.into(),
            input,
            caller: "AKID".into(),
        };
        let fate = cloud.arrive(&call, now);
        match cloud.carry_out(&call, &fate.end, now).0 {
            Answer::Reply(reply) => reply,
            Answer::Lost(_) | Answer::Unheard | Answer::Never => {
                panic!("no such fault was asked for")
            }
        }
    };
    let stale = FaultEffect::Stale { seconds: 60.0 };
    let shop = json!({ "Bucket": "shop" });
    ask(stale, "CreateBucket", shop.clone()).unwrap();
    ask(stale, "HeadBucket", shop.clone()).unwrap();
    for (effect, status, code) in [
        (FaultEffect::Throttle, 503, "SlowDown"),
        (
            FaultEffect::ServerError { status: 500 },
            500,
            "InternalError",
        ),
        (
            FaultEffect::ServerError { status: 503 },
            503,
            "ServiceUnavailable",
        ),
        (FaultEffect::AccessDenied, 403, "AccessDenied"),
        (FaultEffect::ExpiredCredentials, 400, "ExpiredToken"),
    ] {
        let error = ask(effect, "ListObjectsV2", shop.clone()).unwrap_err();
        assert_eq!((error.status, error.code), (status, code));
        assert_eq!(error.message.contains("s3:ListBucket"), status == 403);
    }
}
