"""What an application does with the official client, against a running gateway."""

import json
import os

import openai
from openai import OpenAI

BASE_URL = os.environ["BASE_URL"]
ASK = [{"role": "user", "content": "Xin chào!"}]


def client(key=os.environ["KEY"], **more):
    return OpenAI(base_url=BASE_URL, api_key=key, max_retries=0, **more)


def raises(kind, call):
    try:
        call()
    except openai.APIError as error:
        assert type(error) is kind, f"{kind.__name__} expected, got {error!r}"
        return error
    raise AssertionError(f"{kind.__name__} expected, nothing raised")


def ask(model, key=os.environ["KEY"], **more):
    return client(key).chat.completions.create(model=model, messages=ASK, **more)


# Whole, with the gateway's metadata.
answer = ask("gpt-4o-mini")
assert answer.choices[0].message.content == "Xin chào từ OpenAI"
assert answer.metadata["provider"] == "openai" and answer.metadata["cache_hit"] is False, answer.metadata

# Streams: text, usage when asked for, tools, reasoning.
chunks = list(ask("sim-text", stream=True, stream_options={"include_usage": True}))
assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices).startswith("Xin chào!")
assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens > 0
assert all(c.usage is None for c in ask("sim-text", stream=True))
tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
with client().chat.completions.stream(model="sim-tool", messages=ASK, tools=tools) as stream:
    final = stream.get_final_completion()
call = final.choices[0].message.tool_calls[0].function
assert call.name == "get_weather" and json.loads(call.arguments)["city"] == "Hà Nội"
reasoning = [c.choices[0].delta.model_extra.get("reasoning_content") for c in ask("sim-reasoning", stream=True)]
assert any(reasoning)

# A stream that is silent at first: the gateway's pings come, and the client reads over them.
silent = {"model": "sim-delay-600", "messages": ASK, "stream": True}
with client().chat.completions.with_streaming_response.create(**silent) as response:
    lines = list(response.iter_lines())
assert lines[0] == ": ping" and lines.count(": ping") >= 2 and lines[-2:] == ["data: [DONE]", ""], lines
chunks = list(client().chat.completions.create(**silent))
assert "".join(c.choices[0].delta.content or "" for c in chunks) and chunks[-1].choices[0].finish_reason == "stop"

# Embeddings, which the client asks for in base64, and models.
vectors = client().embeddings.create(model="sim-embedding", input=["a", "b"], dimensions=8)
assert [len(entry.embedding) for entry in vectors.data] == [8, 8]
assert any(model.id == "gpt-4o-mini" for model in client().models.list())
assert client().models.retrieve("gpt-4o-mini").owned_by == "openai"

# Every error as the class that the client has for it.
raises(openai.AuthenticationError, lambda: ask("sim-text", key="vk-wrong"))
raises(openai.PermissionDeniedError, lambda: ask("gpt-4o-mini", key=os.environ["NARROW_KEY"]))
raises(openai.NotFoundError, lambda: ask("sim-none"))
raises(openai.NotFoundError, lambda: client().models.retrieve("none"))
raises(openai.BadRequestError, lambda: ask("no-vendor-has-me"))
raises(openai.BadRequestError, lambda: ask("sim-text", extra_headers={"x-portkey-config": "{}}"}))
ask("sim-text", key=os.environ["LIMITED_KEY"])
limited = raises(openai.RateLimitError, lambda: ask("sim-text", key=os.environ["LIMITED_KEY"]))
assert limited.response.headers["retry-after"] and limited.code == "rate_limit_exceeded"
large = raises(openai.APIStatusError, lambda: ask("sim-text", user="x" * 200_000))
assert large.status_code == 413
late = raises(openai.APIStatusError, lambda: ask("sim-delay-2000", extra_headers={"x-portkey-request-timeout": "20"}))
assert late.status_code == 408
raises(openai.InternalServerError, lambda: ask("sim-cut"))
full = raises(openai.InternalServerError, lambda: ask("slow/any"))
assert full.status_code == 503 and full.code == "provider_saturated", full
for status, kind in {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    503: openai.InternalServerError,
}.items():
    error = raises(kind, lambda: ask(f"sim-status-{status}"))
    assert error.status_code == status and str(status) in str(error), str(error)
broken = raises(openai.APIError, lambda: list(ask("sim-cut", stream=True)))
assert broken.code == "stream_cut", broken.code

# Routing by the header, as the quick reference has it.
config = {
    "strategy": "fallback",
    "targets": [
        {"provider": "simulator", "model": "sim-status-500"},
        {"provider": "openai", "model": "gpt-4o-mini"},
    ],
}
answer = client().chat.completions.create(
    model="gpt-4o-mini", messages=ASK, extra_headers={"x-portkey-config": json.dumps(config)}
)
assert answer.metadata["provider"] == "openai"
print("all good")
