"""That the comparison with AWS's model sees what is wrong."""

import json
import types

import botocore.session
import pytest

import shapes

SESSION = botocore.session.get_session()
HEADERS = {"x-amzn-RequestId": "1", "content-type": "application/x-amz-json-1.1"}
SPACE = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"


def response(content, status=200, **headers):
    content = content if isinstance(content, str) else json.dumps(content)
    return types.SimpleNamespace(status_code=status, headers={**HEADERS, **headers}, content=content.encode())


def operation(service, name):
    return SESSION.get_service_model(service).operation_model(name)


def xml_of(inner, name="DescribeTargetHealth"):
    result = f"<{name}Result>{inner}</{name}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
    text = f'<{name}Response xmlns="{SPACE}">{result}</{name}Response>'
    return response(text, **{"content-type": "text/xml"})


RIGHT = {"services": [{"serviceName": "a", "desiredCount": 1, "createdAt": 1.8e9}], "failures": []}
WRONG_JSON = {
    "a member that AWS does not have": {"services": [{"nickname": "a"}]},
    "a number as text": {"services": [{"desiredCount": "1"}]},
    "a text as a number": {"services": [{"serviceName": 1}]},
    "a boolean as a number": {"services": [{"desiredCount": True}]},
    "milliseconds": {"services": [{"createdAt": 1.8e12}]},
    "null": {"services": None},
    "an object for a list": {"services": {}},
    "a word that is none of the enumeration": {"services": [{"launchType": "ROCKET"}]},
}


def test_what_is_right():
    shapes.check(operation("ecs", "DescribeServices"), response(RIGHT))
    state = "<TargetHealth><State>healthy</State></TargetHealth>"
    shapes.check(
        operation("elbv2", "DescribeTargetHealth"),
        xml_of(f"<TargetHealthDescriptions><member>{state}</member></TargetHealthDescriptions>"),
    )
    shapes.check(operation("ecs", "UpdateService"), response({"__type": "ServiceNotFoundException"}, 400))


@pytest.mark.parametrize("body", WRONG_JSON.values(), ids=WRONG_JSON.keys())
def test_what_is_wrong_in_json(body):
    with pytest.raises(shapes.Misshapen):
        shapes.check(operation("ecs", "DescribeServices"), response(body))


WRONG_XML = {
    "a member that AWS does not have": "<Nickname>a</Nickname>",
    "an item for a member": "<TargetHealthDescriptions><item/></TargetHealthDescriptions>",
    "a text for a number": "<TargetHealthDescriptions><member><Target><Id>a</Id><Port>http</Port></Target></member>"
    "</TargetHealthDescriptions>",
    "a required member left out": "<TargetHealthDescriptions><member><Target><Port>1</Port></Target></member>"
    "</TargetHealthDescriptions>",
}


@pytest.mark.parametrize("inner", WRONG_XML.values(), ids=WRONG_XML.keys())
def test_what_is_wrong_in_xml(inner):
    with pytest.raises((shapes.Misshapen, ValueError)):
        shapes.check(operation("elbv2", "DescribeTargetHealth"), xml_of(inner))


def test_what_is_wrong_in_an_error():
    describe = operation("ecs", "DescribeServices")
    for body in ({"__type": "ImageNotFoundException"}, {"code": "ClientException"}):
        with pytest.raises(shapes.Misshapen):
            shapes.check(describe, response(body, 400))
    with pytest.raises(shapes.Misshapen):
        shapes.check(describe, types.SimpleNamespace(status_code=200, headers={}, content=b"{}"))


LIST = "http://s3.amazonaws.com/doc/2006-03-01/"


def of_s3(inner, status=200, **headers):
    return response(inner, status, **{"x-amz-request-id": "1", "content-type": "application/xml", **headers})


def listing(inner):
    return of_s3(f'<ListBucketResult xmlns="{LIST}">{inner}</ListBucketResult>')


def test_what_is_right_in_s3():
    shapes.check(
        operation("s3", "ListObjectsV2"),
        listing("<Contents><Key>a</Key><Size>1</Size></Contents><Contents><Key>b</Key></Contents>"),
    )
    shapes.check(operation("s3", "HeadObject"), of_s3("", **{"Content-Length": "3"}))
    shapes.check(operation("s3", "GetObject"), of_s3("<Error><Code>NoSuchKey</Code><Message/></Error>", 404))


def test_what_is_wrong_in_s3():
    for inner in ("<Nickname/>", "<KeyCount>1</KeyCount><KeyCount>1</KeyCount>", "<Contents><Size>x</Size></Contents>"):
        with pytest.raises((shapes.Misshapen, ValueError)):
            shapes.check(operation("s3", "ListObjectsV2"), listing(inner))
    for name, wrong in [
        ("HeadObject", of_s3("", **{"Content-Length": "x"})),
        ("PutObject", of_s3("a body")),
        ("GetObject", of_s3("<Errors/>", 404)),
        ("HeadObject", of_s3("a body", 404)),
        ("PutObject", of_s3("", **{"x-amz-request-id": ""})),
    ]:
        with pytest.raises((shapes.Misshapen, ValueError)):
            shapes.check(operation("s3", name), wrong)
