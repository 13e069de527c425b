//! ECR: tags that cannot move, layers, deletion, the repositories' own tags.

use std::time::Duration;

use emulator::core::Service;
use serde_json::{Value, json};

use crate::world::{ACCOUNT, World};

/// A digest of nothing that is uploaded.
const ABSENT: &str = "sha256:30a45e8a0fc56a9e1d3f0d9a1b0a0b5d";

fn error(world: &mut World, operation: &str, input: Value) -> String {
    let error = world.call(Service::Ecr, operation, input).unwrap_err();
    error.code.to_owned()
}

fn tags(world: &mut World, tag: &str) -> Value {
    let ids = json!([{ "imageTag": tag }]);
    let input = json!({ "repositoryName": "api", "imageIds": ids });
    world.ecr("DescribeImages", input)["imageDetails"][0]["imageTags"].clone()
}

fn manifest(world: &mut World, tag: &str) -> String {
    let ids = json!([{ "imageTag": tag }]);
    let input = json!({ "repositoryName": "api", "imageIds": ids });
    let got = world.ecr("BatchGetImage", input);
    got["images"][0]["imageManifest"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_tag_of_an_immutable_repository_does_not_move() {
    let mut world = World::furnished();
    let mutability = json!({ "repositoryName": "api", "imageTagMutability": "IMMUTABLE" });
    world.ecr("PutImageTagMutability", mutability);
    let repositories = world.ecr("DescribeRepositories", json!({}));
    let repository = &repositories["repositories"][0];
    assert_eq!(repository["imageTagMutability"], "IMMUTABLE");
    let better = manifest(&mut world, "better");
    let mut push = |tag: Option<&str>, manifest: &str| {
        let mut input = json!({ "repositoryName": "api", "imageManifest": manifest });
        input["imageTag"] = json!(tag);
        world
            .call(Service::Ecr, "PutImage", input)
            .map_err(|error| error.code)
    };
    assert_eq!(
        push(Some("good"), &better),
        Err("ImageTagAlreadyExistsException")
    );
    assert_eq!(
        push(Some("better"), &better),
        Err("ImageAlreadyExistsException")
    );
    assert_eq!(push(None, &better), Err("ImageAlreadyExistsException"));
    push(Some("1.0"), &better).unwrap();
    let mutability = json!({ "repositoryName": "api", "imageTagMutability": "MUTABLE" });
    world.ecr("PutImageTagMutability", mutability);
    let input = json!({ "repositoryName": "api", "imageTag": "good", "imageManifest": better });
    world.ecr("PutImage", input);
    assert_eq!(tags(&mut world, "good"), json!(["1.0", "better", "good"]));
}

#[test]
fn an_image_goes_with_its_last_tag_and_a_digest_takes_all_along() {
    let mut world = World::furnished();
    let good = manifest(&mut world, "good");
    let digest = world.ecr(
        "PutImage",
        json!({ "repositoryName": "api", "imageTag": "1.0", "imageManifest": good }),
    )["image"]["imageId"]["imageDigest"]
        .clone();
    let delete = |world: &mut World, ids: Value| {
        let input = json!({ "repositoryName": "api", "imageIds": ids });
        world.ecr("BatchDeleteImage", input)
    };
    let reply = delete(&mut world, json!([{ "imageTag": "good" }]));
    let gone = json!([{ "imageDigest": digest, "imageTag": "good" }]);
    assert_eq!(reply["imageIds"], gone);
    assert_eq!(tags(&mut world, "1.0"), json!(["1.0"]));
    delete(&mut world, json!([{ "imageTag": "1.0" }]));
    let reply = delete(
        &mut world,
        json!([{ "imageDigest": digest }, { "imageTag": "absent" }, {}, { "imageTag": "better" }]),
    );
    let codes: Vec<&Value> = reply["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| &failure["failureCode"])
        .collect();
    assert_eq!(
        codes,
        ["ImageNotFound", "ImageNotFound", "MissingDigestAndTag"]
    );
    assert_eq!(reply["imageIds"].as_array().unwrap().len(), 1);
    let left = world.ecr("ListImages", json!({ "repositoryName": "api" }));
    assert_eq!(left["imageIds"].as_array().unwrap().len(), 3);
}

#[test]
fn a_pinned_image_that_was_deleted_cannot_be_started_again() {
    let mut world = World::furnished();
    world.deploy("good", 1);
    let digest = world.tasks("RUNNING")[0]["containers"][0]["imageDigest"].clone();
    let ids = json!([{ "imageDigest": digest }]);
    world.ecr(
        "BatchDeleteImage",
        json!({ "repositoryName": "api", "imageIds": ids }),
    );
    world.push("good", "better");
    world.update(json!({ "desiredCount": 2 }));
    world.until(Duration::from_secs(600), "the failure", |world| {
        !world.tasks("STOPPED").is_empty()
    });
    let reason = world.tasks("STOPPED")[0]["stoppedReason"].clone();
    assert!(
        reason
            .as_str()
            .unwrap()
            .starts_with("CannotPullContainerError"),
        "{reason}"
    );
}

#[test]
fn layers_are_uploaded_in_parts_and_make_an_image_that_cannot_run_here() {
    let mut world = World::furnished();
    let name = json!({ "repositoryName": "api" });
    let upload = world.ecr("InitiateLayerUpload", name)["uploadId"].clone();
    let part = |first: u64, last: u64, blob: &str| {
        json!({
            "repositoryName": "api", "uploadId": upload, "partFirstByte": first, "partLastByte": last, "layerPartBlob": blob,
        })
    };
    let complete = |digest: &str| json!({ "repositoryName": "api", "uploadId": upload, "layerDigests": [digest] });
    assert_eq!(
        error(&mut world, "CompleteLayerUpload", complete(ABSENT)),
        "EmptyUploadException"
    );
    let bad = error(&mut world, "UploadLayerPart", part(1, 5, "aGVsbG8="));
    assert_eq!(bad, "InvalidLayerPartException");
    let received = world.ecr("UploadLayerPart", part(0, 4, "aGVsbG8="));
    assert_eq!(received["lastByteReceived"], 4);
    let early = error(&mut world, "UploadLayerPart", part(5, 9, "aGVsbG8="));
    assert_eq!(early, "InvalidLayerPartException", "the last was too small");
    assert_eq!(
        error(&mut world, "CompleteLayerUpload", complete(ABSENT)),
        "InvalidLayerException"
    );
    // Of "hello".
    let digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let push = json!({
        "repositoryName": "api", "imageTag": "layered",
        "imageManifest": json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "digest": digest, "size": 5 }, "layers": [{ "digest": digest, "size": 5 }],
        }).to_string(),
    });
    assert_eq!(
        error(&mut world, "PutImage", push.clone()),
        "LayersNotFoundException"
    );
    world.ecr("CompleteLayerUpload", complete(digest));
    assert_eq!(
        error(&mut world, "CompleteLayerUpload", complete(digest)),
        "UploadNotFoundException"
    );
    let check = json!({ "repositoryName": "api", "layerDigests": [digest, ABSENT, "junk"] });
    let checked = world.ecr("BatchCheckLayerAvailability", check);
    assert_eq!(checked["layers"][0]["layerAvailability"], "AVAILABLE");
    assert_eq!(checked["layers"][1]["layerAvailability"], "UNAVAILABLE");
    assert_eq!(checked["failures"][0]["failureCode"], "InvalidLayerDigest");
    world.ecr("PutImage", push);

    let input = world.service_input("layered", 1);
    world.ecs("CreateService", input);
    world.until(Duration::from_secs(600), "the failure", |world| {
        !world.tasks("STOPPED").is_empty()
    });
    let reason = world.tasks("STOPPED")[0]["stoppedReason"].clone();
    assert!(reason.as_str().unwrap().contains("platform 'linux/amd64'"));
}

#[test]
fn a_repository_is_deleted_when_empty_or_by_force() {
    let mut world = World::furnished();
    let delete = json!({ "repositoryName": "api" });
    assert_eq!(
        error(&mut world, "DeleteRepository", delete.clone()),
        "RepositoryNotEmptyException"
    );
    let force = json!({ "repositoryName": "api", "force": true });
    let gone = world.ecr("DeleteRepository", force);
    assert_eq!(gone["repository"]["repositoryName"], "api");
    assert_eq!(
        error(&mut world, "DeleteRepository", delete),
        "RepositoryNotFoundException"
    );
}

#[test]
fn a_repository_has_tags_of_its_own() {
    let mut world = World::furnished();
    let created = world.ecr(
        "CreateRepository",
        json!({
            "repositoryName": "shop/web", "tags": [{ "Key": "team", "Value": "shop" }],
            "imageScanningConfiguration": { "scanOnPush": true },
        }),
    );
    let repository = &created["repository"];
    assert_eq!(
        repository["imageScanningConfiguration"]["scanOnPush"],
        json!(true)
    );
    let arn = repository["repositoryArn"].clone();
    let more = json!({ "resourceArn": arn, "tags": [{ "Key": "env", "Value": "dev" }] });
    world.ecr("TagResource", more);
    world.ecr(
        "UntagResource",
        json!({ "resourceArn": arn, "tagKeys": ["team"] }),
    );
    let tags = world.ecr("ListTagsForResource", json!({ "resourceArn": arn }));
    assert_eq!(tags["tags"], json!([{ "Key": "env", "Value": "dev" }]));
    let reserved = json!({ "resourceArn": arn, "tags": [{ "Key": "aws:x", "Value": "1" }] });
    assert_eq!(
        error(&mut world, "TagResource", reserved),
        "InvalidTagParameterException"
    );
}

#[test]
fn inputs_are_checked_in_ecrs_words() {
    let mut world = World::furnished();
    let mut refuse = |operation: &str, input: Value, code: &str| {
        assert_eq!(error(&mut world, operation, input), code, "{operation}");
    };
    let invalid = "InvalidParameterException";
    for name in ["A", "-a", "a..b"] {
        refuse(
            "CreateRepository",
            json!({ "repositoryName": name }),
            invalid,
        );
    }
    let other = json!({ "repositoryName": "api", "registryId": "999999999999" });
    refuse("DescribeImages", other, "RepositoryNotFoundException");
    let both =
        json!({ "repositoryName": "api", "maxResults": 1, "imageIds": [{ "imageTag": "good" }] });
    refuse("DescribeImages", both, invalid);
    let names = json!({ "repositoryNames": ["api"], "maxResults": 1 });
    refuse("DescribeRepositories", names, invalid);
    refuse(
        "DescribeRepositories",
        json!({ "maxResults": 1001 }),
        invalid,
    );
    let uri = world.ecr("DescribeRepositories", json!({ "registryId": ACCOUNT }));
    assert_eq!(uri["repositories"].as_array().unwrap().len(), 1);
}
