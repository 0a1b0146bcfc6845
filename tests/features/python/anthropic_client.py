"""What an application does with Anthropic's official client, against a running gateway."""

import os

import anthropic
from anthropic import Anthropic
from checks import HANOI, HUE, PNG, REFUSED, SAID, THOUGHT, UPSTREAMS, WEATHER, check, report

BASE_URL = os.environ["BASE_URL"].removesuffix("/v1")
TOOLS = [
    {
        "name": "get_weather",
        "description": "The weather of a city.",
        "input_schema": WEATHER,
    }
]
client = Anthropic(base_url=BASE_URL, api_key=os.environ["KEY"], max_retries=0)


def ask(model, **more):
    more.setdefault("messages", [{"role": "user", "content": "Xin chào!"}])
    return {"model": model, "max_tokens": 1000, **more}


def whole(**body):
    return client.messages.create(**body)


def streamed(**body):
    with client.messages.stream(**body) as stream:
        list(stream)
        return stream.get_final_message()


def raises(kind, call, status):
    try:
        got = call()
    except anthropic.APIStatusError as error:
        assert type(error) is kind, f"{kind.__name__} expected, got {error!r}"
        assert error.status_code == status, error
        assert error.body["type"] == "error" and error.body["error"]["type"] and error.body["error"]["message"], error
        return error
    raise AssertionError(f"{kind.__name__} expected, nothing raised: {got}")


def texts(message):
    return "".join(block.text for block in message.content if block.type == "text")


def calls(message):
    return [(block.name, block.input) for block in message.content if block.type == "tool_use"]


for upstream in UPSTREAMS + ["simulator"]:
    for way in (whole, streamed):

        def model(kind):
            return f"{upstream}/{kind}"

        name = f"{upstream} {way.__name__}"
        simulated = upstream == "simulator"

        @check(f"{name} text")
        def _():
            message = way(**ask(model("sim-text" if simulated else "text"), system="Be kind.", stop_sequences=["END"]))
            assert message.stop_reason == "end_turn" and message.role == "assistant", message
            assert message.model == model("sim-text" if simulated else "text"), message.model
            assert message.id.startswith("msg_"), message.id
            assert simulated or texts(message) == SAID, message
            usage = message.usage
            assert usage.output_tokens > 0 and usage.input_tokens > 0, usage
            if not simulated:
                assert usage.output_tokens == 37, usage
                cached = 0 if upstream == "llama" else 13
                assert usage.input_tokens == 101 - cached and (usage.cache_read_input_tokens or 0) == cached, usage

        @check(f"{name} tool")
        def _():
            message = way(**ask(model("sim-tool" if simulated else "tool"), tools=TOOLS))
            assert calls(message)[0] == HANOI if not simulated else calls(message)[0][0] == "get_weather", message
            assert message.stop_reason == "tool_use", message
            results = [
                {"type": "tool_result", "tool_use_id": block.id, "content": "31 °C"}
                for block in message.content
                if block.type == "tool_use"
            ]
            turns = [
                {"role": "user", "content": "The weather?"},
                {"role": "assistant", "content": message.content},
                {"role": "user", "content": results},
            ]
            again = way(**ask(model("sim-text" if simulated else "text"), tools=TOOLS, messages=turns))
            assert simulated or texts(again) == SAID, again

        @check(f"{name} reasoning")
        def _():
            thinking = {"type": "enabled", "budget_tokens": 1024}
            body = ask(model("sim-reasoning" if simulated else "reasoning"), thinking=thinking)
            message = way(**{**body, "max_tokens": 3000})
            first = message.content[0]
            assert first.type == "thinking" and (simulated or first.thinking == THOUGHT), message
            turns = [
                {"role": "user", "content": "Hello?"},
                {"role": "assistant", "content": message.content},
                {"role": "user", "content": "And?"},
            ]
            again = way(**ask(model("sim-text" if simulated else "text"), messages=turns))
            assert texts(again), again

        @check(f"{name} errors")
        def _():
            for status, kind, told in [
                (400, anthropic.BadRequestError, 400),
                (404, anthropic.NotFoundError, 404),
                (429, anthropic.RateLimitError, 429),
                (500, anthropic.InternalServerError, None),
                (503, anthropic.InternalServerError, None),
            ]:
                kind_of = f"sim-status-{status}" if simulated else f"early-{status}"
                try:
                    way(**ask(model(kind_of)))
                except anthropic.APIStatusError as error:
                    assert isinstance(error, kind), f"{status}: {error!r}"
                    assert error.body["type"] == "error", error.body
                    assert told is None or error.status_code == told, error
                    assert str(status) in error.body["error"]["message"], error.body
                else:
                    raise AssertionError(f"nothing raised for {status}")

        @check(f"{name} cut")
        def _():
            for kind in ["sim-cut"] if simulated else ["cut", "late"]:
                try:
                    got = way(**ask(model(kind)))
                except anthropic.APIStatusError as error:
                    assert error.body["type"] == "error", error.body
                    assert (error.status_code == 200) == (way is streamed), error
                else:
                    raise AssertionError(f"{kind}: a broken answer passed for whole: {got}")

        if simulated:
            continue

        @check(f"{name} two tools")
        def _():
            message = way(**ask(model("two-tools"), tools=TOOLS))
            assert calls(message) == [HANOI, HUE] and message.stop_reason == "tool_use", message
            ids = [block.id for block in message.content]
            assert len(set(ids)) == 2, ids
            png = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
            results = [
                {"type": "tool_result", "tool_use_id": ids[0], "content": [{"type": "text", "text": "sun"}, png]},
                {"type": "tool_result", "tool_use_id": ids[1], "content": "rain", "is_error": True},
            ]
            turns = [
                {"role": "user", "content": "The weather?"},
                {"role": "assistant", "content": message.content},
                {"role": "user", "content": results},
            ]
            again = way(**ask(model("text"), tools=TOOLS, messages=turns))
            assert texts(again) == SAID, again

        @check(f"{name} mixed")
        def _():
            message = way(**ask(model("mixed"), tools=TOOLS))
            assert texts(message) == "Let me see. One moment." and calls(message) == [HANOI], message

        @check(f"{name} image")
        def _():
            png = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
            asked = [{"role": "user", "content": [png, {"type": "text", "text": "What is it?"}]}]
            assert texts(way(**ask(model("text"), messages=asked))) == SAID

        @check(f"{name} refusal")
        def _():
            message = way(**ask(model("refusal")))
            assert texts(message) == REFUSED, message
            assert message.stop_reason == ("end_turn" if upstream == "llama" else "refusal"), message

        @check(f"{name} length")
        def _():
            message = way(**ask(model("length")))
            assert message.stop_reason == "max_tokens" and texts(message) == SAID, message


raises(anthropic.AuthenticationError, lambda: Anthropic(base_url=BASE_URL, api_key="vk-wrong", max_retries=0).messages.create(**ask("chat/text")), 401)
raises(anthropic.BadRequestError, lambda: whole(**ask("nobody/knows")), 400)
report()
