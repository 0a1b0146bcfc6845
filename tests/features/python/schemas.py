"""Holds captured requests, answers and events to the types of the official SDKs, read one JSON object a line.

Each line has `kind`, a name below, `place`, which tells where it was captured, and `json`. Nothing may be there that the
types do not know, but for the fields that OUR_OWN lists.
"""

import importlib
import json
import pkgutil
import sys
from collections.abc import Mapping
from typing import Literal, Union

import anthropic.types
import openai.types
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from typing_extensions import is_typeddict

# Fields beside OpenAI's own that the reference tells of, and older names that vendors still take.
OUR_OWN = {
    "ChatCompletionChunk": {"metadata"},
    "ChatCompletionMessage": {"reasoning_content", "content_blocks", "reasoning_details"},
    "ChoiceDelta": {"reasoning_content", "content_blocks", "reasoning_details"},
    "PromptTokensDetails": {"cache_write_tokens"},
    # A vendor's own id of a failed request.
    "ErrorObject": {"request_id"},
    # OpenAI's API sends both; the Python types leave them out.
    "Response": {"store"},
    "ResponseFunctionCallArgumentsDoneEvent": {"name"},
}


def forbid_unknown_fields():
    """Typed dictionaries let unknown fields pass unless they say otherwise."""
    for package in (openai.types, anthropic.types):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            for value in vars(importlib.import_module(module.name)).values():
                if is_typeddict(value):
                    value.__pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


forbid_unknown_fields()
from anthropic.types import ErrorResponse, Message, RawMessageStreamEvent  # noqa: E402
from anthropic.types.message_create_params import MessageCreateParams  # noqa: E402
from openai.types.chat import ChatCompletion, ChatCompletionChunk  # noqa: E402
from openai.types.chat.completion_create_params import CompletionCreateParams  # noqa: E402
from openai.types.responses import Response, ResponseStreamEvent  # noqa: E402
from openai.types.responses.response_create_params import ResponseCreateParams  # noqa: E402
from openai.types.shared import ErrorObject  # noqa: E402


class OpenAiError(BaseModel):
    error: ErrorObject


class Ping(BaseModel):
    """The SDK leaves it out of its union, and takes it."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["ping"]


KINDS = {
    name: TypeAdapter(kind)
    for name, kind in {
        "chat request": CompletionCreateParams,
        "chat answer": ChatCompletion,
        "chat event": ChatCompletionChunk,
        "chat error": OpenAiError,
        "messages request": MessageCreateParams,
        "messages answer": Message,
        "messages event": Union[RawMessageStreamEvent, Ping],
        "messages error": ErrorResponse,
        "responses request": ResponseCreateParams,
        "responses answer": Response,
        "responses event": ResponseStreamEvent,
        "responses error": OpenAiError,
    }.items()
}


def unknown(value, path=""):
    """The fields that no type knows; lists are read to their end, as they are checked only then."""
    if isinstance(value, BaseModel):
        known = OUR_OWN.get(type(value).__name__, set())
        for name in (value.model_extra or {}).keys() - known:
            yield f"{path}.{name} is not known"
        for name in type(value).model_fields:
            yield from unknown(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from unknown(part, f"{path}.{name}")
    elif hasattr(value, "__iter__") and not isinstance(value, (str, bytes)):
        for at, part in enumerate(value):
            yield from unknown(part, f"{path}[{at}]")


def nearest(errors):
    """Of a union each member tells why it does not fit: the member that it fits but for the fewest fields is told."""
    members = {}
    for error in errors:
        member = tuple(part for part in error["loc"] if isinstance(part, int) or part[:1].isupper())
        members.setdefault(member, []).append(error)
    deepest = sorted(members.values(), key=lambda told: (any(e["type"] == "literal_error" for e in told), len(told)))
    return "; ".join(f"{'.'.join(str(p)[:40] for p in e['loc'])}: {e['msg']}" for e in deepest[0])


def known_to_differ(kind, value):
    """The same without what vendors take although their SDKs' types have no place for it."""
    if kind == "chat answer":
        # The gateway's object, where OpenAI has one of texts.
        return {name: part for name, part in value.items() if name != "metadata"}
    if kind == "messages request":
        # Models before Claude 5 take them; the newest types have left them out.
        return {name: part for name, part in value.items() if name not in ("temperature", "top_p", "top_k")}
    if kind == "responses request" and isinstance(value["input"], list):
        # The model's own messages need no id and no status as input: Codex CLI sends them so.
        named = {"id": "msg_1", "status": "completed"}
        value["input"] = [{**named, **item} if item.get("role") == "assistant" else item for item in value["input"]]
    return value


def problems_of(line):
    try:
        value = known_to_differ(line["kind"], line["json"])
        yield from unknown(KINDS[line["kind"]].validate_python(value))
    except ValidationError as error:
        yield nearest(error.errors())


count, problems = 0, []
for text in sys.stdin:
    line = json.loads(text)
    count += 1
    problems += [f"{line['place']}, {line['kind']}: {problem}: {json.dumps(line['json'])[:400]}" for problem in problems_of(line)]
print("\n".join(problems))
print(f"{count} lines were held to their types, {len(problems)} problems")
sys.exit(1 if problems or not count else None)
