"""Compares what came over the wire with botocore's model of it: no member that AWS does not have, every type right.

botocore itself forgives: it skips members that it does not know, and takes a number where a text should be.
"""

import json
import math
import xml.etree.ElementTree as xml
from email.utils import parsedate_to_datetime


class Misshapen(AssertionError):
    """A response that AWS would not have sent."""


def check(model, response):
    """`response` is what botocore received for the operation `model`, success or error."""
    where = f"{model.service_model.service_name} {model.name}"
    protocol = model.service_model.metadata["protocol"]
    request_id = "x-amz-request-id" if protocol == "rest-xml" else "x-amzn-RequestId"
    if not response.headers.get(request_id):
        raise Misshapen(f"{where}: no {request_id}")
    if response.status_code >= 300:
        _check_error(model, response, where, protocol)
    elif protocol == "json":
        _check_json(model, response, where)
    elif protocol == "rest-xml":
        _check_rest(model, response, where)
    else:
        _check_query(model, response, where)


def _check_json(model, response, where):
    if response.headers["content-type"] != "application/x-amz-json-1.1":
        raise Misshapen(f"{where}: content-type is {response.headers['content-type']}")
    body = json.loads(response.content) if response.content else {}
    if model.output_shape is None:
        if body:
            raise Misshapen(f"{where}: a body, where AWS sends none: {body}")
    else:
        _value(model.output_shape, body, where)


# What AWS answers at its door, for every operation, and so has in no model.
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/CommonErrors.html
AT_THE_DOOR = {
    "json": {
        "AccessDeniedException",
        "ExpiredTokenException",
        "InternalFailure",
        "InternalServerError",
        "SerializationException",
        "ServiceUnavailable",
        "ThrottlingException",
        "UnknownOperationException",
    },
    "query": {
        "AccessDenied",
        "ExpiredToken",
        "InternalFailure",
        "InvalidAction",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "ValidationError",
    },
}
# S3's model has no namespace, and names few of its errors:
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
S3_SPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
S3_ERROR = {"Code", "Message", "Resource", "RequestId", "Region"}


def _check_error(model, response, where, protocol):
    """The form of an error, and that this operation may fail so."""
    if protocol == "json":
        body = json.loads(response.content)
        code = body.get("__type", "")
        if not set(body) <= {"__type", "message", "Message"}:
            raise Misshapen(f"{where}: an error with {sorted(body)}")
    elif protocol == "rest-xml":
        # Neither has a body.
        if model.http["method"] == "HEAD" or response.status_code == 304:
            if response.content:
                raise Misshapen(f"{where}: a body, where AWS sends none")
            return
        root = xml.fromstring(response.content)
        names = [child.tag for child in root]
        if root.tag != "Error" or not {"Code", "Message"} <= set(names) <= S3_ERROR or len(names) != len(set(names)):
            raise Misshapen(f"{where}: the root of an error is {root.tag} with {names}")
        return
    else:
        root = xml.fromstring(response.content)
        space = f"{{{model.service_model.metadata['xmlNamespace']}}}"
        if root.tag != f"{space}ErrorResponse" or root.find(f"{space}RequestId") is None:
            raise Misshapen(f"{where}: the root of an error is {root.tag}")
        code = root.findtext(f"{space}Error/{space}Code", "")
        if root.findtext(f"{space}Error/{space}Type") not in ("Sender", "Receiver"):
            raise Misshapen(f"{where}: an error of no Type")
    modelled = {shape.metadata.get("error", {}).get("code", shape.name): shape for shape in model.error_shapes}
    if code not in modelled and code not in AT_THE_DOOR[protocol]:
        raise Misshapen(f"{where}: does not fail with {code}, but with {sorted(modelled)}")


def _value(shape, value, path):
    """A JSON value against its shape."""
    if value is None:
        raise Misshapen(f"{path}: null; AWS leaves a member out")
    kind = shape.type_name
    if kind == "structure":
        _type(value, dict, path)
        for name, inner in value.items():
            member = shape.members.get(name)
            if member is None:
                raise Misshapen(f"{path}.{name}: no such member of {shape.name}")
            _value(member, inner, f"{path}.{name}")
        _required(shape, value, path)
    elif kind == "list":
        _type(value, list, path)
        for at, inner in enumerate(value):
            _value(shape.member, inner, f"{path}[{at}]")
    elif kind == "map":
        _type(value, dict, path)
        for key, inner in value.items():
            _scalar(shape.key, key, path)
            _value(shape.value, inner, f"{path}[{key}]")
    else:
        _scalar(shape, value, path)


def _required(shape, names, path):
    for name in shape.required_members:
        if name not in names:
            raise Misshapen(f"{path}.{name}: missing, and {shape.name} requires it")


TYPES = {
    "string": str,
    "character": str,
    "blob": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
}


def _scalar(shape, value, path):
    kind = shape.type_name
    _type(value, TYPES[kind], path)
    if kind == "string" and shape.enum and value not in shape.enum:
        raise Misshapen(f"{path}: {value!r} is not one of {shape.enum}")
    # Both in seconds since 1970; milliseconds by mistake would be the year 50000.
    if kind == "timestamp" and not 1.7e9 < value < 4e9:
        raise Misshapen(f"{path}: {value} is no time in seconds of these years")
    if kind == "double" and not math.isfinite(value):
        raise Misshapen(f"{path}: {value}")
    if kind == "string" and not _within(shape, len(value)):
        raise Misshapen(f"{path}: {value!r} is too short or too long for {shape.name}")
    if kind in ("integer", "long") and not _within(shape, value):
        raise Misshapen(f"{path}: {value} is out of the bounds of {shape.name}")


def _within(shape, size):
    bounds = shape.metadata
    return bounds.get("min", -math.inf) <= size <= bounds.get("max", math.inf)


def _type(value, wanted, path):
    # In Python a boolean is an integer; on the wire it is none.
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise Misshapen(f"{path}: {value!r} is {type(value).__name__}, not {wanted}")


def _check_query(model, response, where):
    if not response.headers["content-type"].startswith("text/xml"):
        raise Misshapen(f"{where}: content-type is {response.headers['content-type']}")
    root = xml.fromstring(response.content)
    space = f"{{{model.service_model.metadata['xmlNamespace']}}}"
    names = [child.tag for child in root]
    wanted = [f"{space}{model.name}Result", f"{space}ResponseMetadata"]
    if root.tag != f"{space}{model.name}Response" or not set(names) <= set(wanted):
        raise Misshapen(f"{where}: the root is {root.tag} with {names}")
    result = root.find(wanted[0])
    if model.output_shape is not None and model.output_shape.members:
        if result is None:
            raise Misshapen(f"{where}: no {wanted[0]}")
        _element(model.output_shape, result, where, space)


def _check_rest(model, response, where):
    """Headers whose names the model has, and a document, or a content of any kind."""
    shape = model.output_shape
    members = shape.members if shape else {}
    for name, member in members.items():
        value = response.headers.get(member.serialization.get("name", ""))
        if member.serialization.get("location") == "header" and value is not None:
            if member.type_name in ("integer", "long"):
                _scalar(member, int(value), f"{where}.{name}")
            elif member.type_name == "timestamp":
                parsedate_to_datetime(value)
            else:
                _scalar(member, value, f"{where}.{name}")
    if shape is not None and shape.serialization.get("payload"):
        return
    if all(member.serialization.get("location") for member in members.values()):
        if response.content:
            raise Misshapen(f"{where}: a body, where AWS sends none")
        return
    root = xml.fromstring(response.content)
    _rest_element(shape, root, where, S3_SPACE)


def _rest_element(shape, element, path, space):
    """As `_element`, for lists that may be flat and members that have names of their own."""
    if shape.type_name != "structure":
        return _scalar_text(shape, element, path)
    by_tag = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
    seen = []
    for child in element:
        name, member = by_tag.get(child.tag.removeprefix(space), (None, None))
        if member is None:
            raise Misshapen(f"{path}: {child.tag} is no member of {shape.name}")
        flat = member.type_name == "list" and member.serialization.get("flattened")
        if name in seen and not flat:
            raise Misshapen(f"{path}: {name} twice")
        seen.append(name)
        if flat:
            _rest_element(member.member, child, f"{path}.{name}", space)
        elif member.type_name == "list":
            tag = member.member.serialization.get("name", "member")
            for at, item in enumerate(child):
                if item.tag != f"{space}{tag}":
                    raise Misshapen(f"{path}.{name}[{at}]: {item.tag}, not {tag}")
                _rest_element(member.member, item, f"{path}.{name}[{at}]", space)
        else:
            _rest_element(member, child, f"{path}.{name}", space)
    _required(shape, seen, path)


def _element(shape, element, path, space):
    """An XML element against its shape."""
    kind = shape.type_name
    if kind == "structure":
        seen = [child.tag.removeprefix(space) for child in element]
        if len(seen) != len(set(seen)):
            raise Misshapen(f"{path}: a member twice: {seen}")
        for child, name in zip(element, seen):
            member = shape.members.get(name)
            if member is None:
                raise Misshapen(f"{path}.{name}: no such member of {shape.name}")
            _element(member, child, f"{path}.{name}", space)
        _required(shape, seen, path)
    elif kind == "list":
        for at, child in enumerate(element):
            if child.tag != f"{space}member":
                raise Misshapen(f"{path}[{at}]: {child.tag}, not member")
            _element(shape.member, child, f"{path}[{at}]", space)
    else:
        _scalar_text(shape, element, path)


def _scalar_text(shape, element, path):
    text = element.text or ""
    if len(element):
        raise Misshapen(f"{path}: elements where a {shape.type_name} should be")
    kind = shape.type_name
    if kind in ("integer", "long"):
        _scalar(shape, int(text), path)
    elif kind == "boolean":
        if text not in ("true", "false"):
            raise Misshapen(f"{path}: {text!r} is no boolean")
    elif kind == "timestamp":
        if not (text[4:5] == "-" and text[10:11] == "T" and text.endswith("Z")):
            raise Misshapen(f"{path}: {text!r} is not ISO 8601 in UTC")
    else:
        _scalar(shape, text, path)
