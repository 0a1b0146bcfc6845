"""Validates a description of an API, and exchanges with the API against it. Reads both from standard input."""

import json
import re
import sys
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

given = json.load(sys.stdin)
description = given["description"]
problems = [error.message for error in OpenAPIV31SpecValidator(description).iter_errors()]
registry = Registry().with_resource("urn:api", DRAFT202012.create_resource(description))


def resolved(part):
    """What a reference leads to; anything else is itself."""
    if "$ref" not in part:
        return part
    found = description
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


def check(place, schema, value):
    schema = json.loads(json.dumps(schema).replace('"#/', '"urn:api#/'))
    for error in Draft202012Validator(schema, registry=registry).iter_errors(value):
        problems.append(f"{place}: {error.json_path}: {error.message[:300]}")


def template_of(path):
    """The most literal path of the description that a path is one of."""
    fits = [t for t in description["paths"] if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", t), path)]
    return min(fits, key=lambda template: template.count("{"))


called = set()
for exchange in given["exchanges"]:
    template = template_of(urlsplit(exchange["path"]).path)
    method, status = exchange["method"], str(exchange["status"])
    place = f"{method} {exchange['path']} {status}"
    operation = description["paths"][template][method.lower()]
    if status == "200":
        called.add((method, template))
    if exchange["request"] is not None and status == "200":
        check(place + " request", operation["requestBody"]["content"]["application/json"]["schema"], exchange["request"])
    responses = operation["responses"]
    if status not in responses and "default" not in responses:
        problems.append(f"{place}: this status is not described")
        continue
    content = resolved(responses.get(status) or responses["default"])["content"]
    kind = exchange["content_type"].split(";")[0]
    if kind not in content:
        problems.append(f"{place}: {kind} is not described")
        continue
    answer = json.loads(exchange["answer"]) if kind == "application/json" else exchange["answer"]
    check(place, content[kind]["schema"], answer)

# What never succeeds has no 200.
for template, item in description["paths"].items():
    for method in item.keys() - {"parameters"}:
        if "200" in item[method]["responses"] and (method.upper(), template) not in called:
            problems.append(f"{method.upper()} {template} was never answered by 200")

sys.exit("\n".join(problems) or None)
