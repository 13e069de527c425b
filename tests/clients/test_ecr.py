"""ECR: repositories, images by tag and digest, and layers as far as a push needs them."""

import base64
import hashlib
import json
from datetime import datetime, timedelta, timezone

import pytest

from conftest import arn, in_pages, refused
from emulator import ACCOUNT

MEDIA_TYPE = "application/vnd.evenkeel.local-image.v1+json"


def manifest(number=1):
    """An image's manifest, each number another; it need not run."""
    executable = f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"
    return json.dumps({"schemaVersion": 2, "mediaType": MEDIA_TYPE, "executable": executable, "env": {}, "args": []})


def digest(number=1):
    return f"sha256:{hashlib.sha256(manifest(number).encode()).hexdigest()}"


@pytest.fixture
def repository(aws, name):
    aws.ecr.create_repository(repositoryName=name)
    return name


def put(aws, repository, tag, number=1):
    given = {"imageManifest": manifest(number), "imageManifestMediaType": MEDIA_TYPE, "imageTag": tag}
    return aws.ecr.put_image(repositoryName=repository, **given)["image"]


def test_repositories_come_and_go(aws, name):
    made = aws.ecr.create_repository(repositoryName=name, tags=[{"Key": "team", "Value": "shop"}])["repository"]
    assert made["repositoryUri"] == f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{name}"
    assert (made["repositoryArn"], made["registryId"]) == (arn("ecr", f"repository/{name}"), ACCOUNT)
    assert made["imageTagMutability"] == "MUTABLE"
    with refused("RepositoryAlreadyExistsException", f"The repository with name '{name}' already exists"):
        aws.ecr.create_repository(repositoryName=name)
    assert aws.ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"] == [
        {"Key": "team", "Value": "shop"}
    ]
    aws.ecr.tag_resource(resourceArn=made["repositoryArn"], tags=[{"Key": "a", "Value": "1"}])
    aws.ecr.untag_resource(resourceArn=made["repositoryArn"], tagKeys=["team"])
    assert aws.ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"] == [{"Key": "a", "Value": "1"}]
    put(aws, name, "1")
    with refused("RepositoryNotEmptyException"):
        aws.ecr.delete_repository(repositoryName=name)
    aws.ecr.delete_repository(repositoryName=name, force=True)
    with refused("RepositoryNotFoundException", f"The repository with name '{name}' does not exist"):
        aws.ecr.describe_repositories(repositoryNames=[name])


def test_repositories_in_pages(aws, name):
    names = [f"{name}/{i}" for i in range(5)]
    for each in names:
        aws.ecr.create_repository(repositoryName=each)
    found, _ = in_pages(aws.ecr, "describe_repositories", "repositories", 2)
    assert set(names) <= {repository["repositoryName"] for repository in found}


def test_an_image_by_tag_and_digest(aws, repository):
    image = put(aws, repository, "1.0.0")
    assert image["imageId"] == {"imageTag": "1.0.0", "imageDigest": digest()}
    put(aws, repository, "latest")
    for by in ({"imageTag": "1.0.0"}, {"imageDigest": digest()}):
        detail = aws.ecr.describe_images(repositoryName=repository, imageIds=[by])["imageDetails"][0]
        assert detail["imageDigest"] == digest() and sorted(detail["imageTags"]) == ["1.0.0", "latest"]
        assert (detail["imageManifestMediaType"], detail["registryId"]) == (MEDIA_TYPE, ACCOUNT)
    asked = [{"imageTag": "latest"}, {"imageTag": "nobody"}]
    fetched = aws.ecr.batch_get_image(repositoryName=repository, imageIds=asked)
    assert [image["imageManifest"] for image in fetched["images"]] == [manifest()]
    assert [(f["imageId"], f["failureCode"]) for f in fetched["failures"]] == [
        ({"imageTag": "nobody"}, "ImageNotFound")
    ]


def test_what_is_missing_or_there_already(aws, repository):
    put(aws, repository, "1")
    with refused("ImageNotFoundException", "does not exist within the repository"):
        aws.ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "1"}, {"imageTag": "nobody"}])
    with refused("RepositoryNotFoundException"):
        aws.ecr.describe_images(repositoryName="nobody")
    with refused("ImageAlreadyExistsException"):
        put(aws, repository, "1")
    with refused("InvalidParameterException"):
        aws.ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "1"}], maxResults=5)
    with refused("ImageDigestDoesNotMatchException"):
        aws.ecr.put_image(repositoryName=repository, imageManifest=manifest(2), imageDigest=digest(3))


def test_a_tag_moves_unless_the_repository_forbids_it(aws, repository, name):
    put(aws, repository, "1", number=1)
    assert put(aws, repository, "1", number=2)["imageId"]["imageDigest"] == digest(2)
    listed, pages = in_pages(aws.ecr, "list_images", "imageIds", 1, repositoryName=repository)
    assert {image["imageDigest"]: image.get("imageTag") for image in listed} == {digest(1): None, digest(2): "1"}
    assert pages == 2
    untagged = aws.ecr.list_images(repositoryName=repository, filter={"tagStatus": "UNTAGGED"})
    assert untagged["imageIds"] == [{"imageDigest": digest(1)}]

    aws.ecr.create_repository(repositoryName=f"{name}/fixed", imageTagMutability="IMMUTABLE")
    put(aws, f"{name}/fixed", "1", number=1)
    with refused("ImageTagAlreadyExistsException"):
        put(aws, f"{name}/fixed", "1", number=2)
    aws.ecr.put_image_tag_mutability(repositoryName=f"{name}/fixed", imageTagMutability="MUTABLE")
    put(aws, f"{name}/fixed", "1", number=2)


def test_images_in_pages(aws, repository):
    for number in range(5):
        put(aws, repository, str(number), number)
    found, pages = in_pages(aws.ecr, "describe_images", "imageDetails", 2, repositoryName=repository)
    assert ({detail["imageDigest"] for detail in found}, pages) == ({digest(i) for i in range(5)}, 3)


def test_images_are_deleted(aws, repository):
    put(aws, repository, "1")
    put(aws, repository, "2")
    asked = [{"imageTag": "1"}, {"imageTag": "nobody"}]
    answer = aws.ecr.batch_delete_image(repositoryName=repository, imageIds=asked)
    assert answer["imageIds"] == [{"imageTag": "1", "imageDigest": digest()}]
    assert [failure["failureCode"] for failure in answer["failures"]] == ["ImageNotFound"]
    aws.ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": digest()}])
    assert aws.ecr.list_images(repositoryName=repository)["imageIds"] == []


def test_layers(aws, repository):
    layer = b"some bytes"
    of_layer = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    asked = {"repositoryName": repository, "layerDigests": [of_layer]}
    before = aws.ecr.batch_check_layer_availability(**asked)
    assert [found["layerAvailability"] for found in before["layers"]] == ["UNAVAILABLE"] or before["failures"]
    upload = aws.ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    part = {"partFirstByte": 0, "partLastByte": len(layer) - 1, "layerPartBlob": layer}
    assert (
        aws.ecr.upload_layer_part(repositoryName=repository, uploadId=upload, **part)["lastByteReceived"]
        == len(layer) - 1
    )
    done = aws.ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=[of_layer])
    assert done["layerDigest"] == of_layer
    after = aws.ecr.batch_check_layer_availability(**asked)["layers"]
    assert [found["layerAvailability"] for found in after] == ["AVAILABLE"]
    with refused("UploadNotFoundException"):
        aws.ecr.upload_layer_part(repositoryName=repository, uploadId=upload, **part)
    again = aws.ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    aws.ecr.upload_layer_part(repositoryName=repository, uploadId=again, **part)
    with refused("InvalidLayerException|LayerAlreadyExistsException|InvalidParameterException"):
        wrong = f"sha256:{'0' * 64}"
        aws.ecr.complete_layer_upload(repositoryName=repository, uploadId=again, layerDigests=[wrong])


@pytest.mark.parametrize("bad", ["Upper", "-a", "a" * 257, "a//b"])
def test_names_are_checked(raw, bad):
    with refused("InvalidParameterException"):
        raw.ecr.create_repository(repositoryName=bad)


def test_a_login_is_for_half_a_day_and_this_registry(aws):
    login = aws.ecr.get_authorization_token()["authorizationData"]
    assert [data["proxyEndpoint"] for data in login] == [f"https://{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"]
    user, password = base64.b64decode(login[0]["authorizationToken"]).decode().split(":")
    assert user == "AWS" and len(password) > 32
    left = login[0]["expiresAt"] - datetime.now(timezone.utc)
    assert timedelta(hours=11, minutes=59) < left < timedelta(hours=12, minutes=1)
