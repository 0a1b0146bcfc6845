"""What an application does with OpenAI's official client and the Responses API, against a running gateway."""

import json
import os

import openai
from checks import HANOI, HUE, PNG, REFUSED, SAID, THOUGHT, UPSTREAMS, WEATHER, check, report
from openai import OpenAI

TOOLS = [
    {
        "type": "function",
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": WEATHER,
        "strict": False,
    }
]
client = OpenAI(base_url=os.environ["BASE_URL"], api_key=os.environ["KEY"], max_retries=0)


def ask(model, **more):
    more.setdefault("input", "Xin chào!")
    return {"model": model, **more}


def whole(**body):
    return client.responses.create(**body)


def streamed(**body):
    """The accumulator's answer, checked against the events one by one."""
    with client.responses.stream(**body) as stream:
        events = list(stream)
        numbers = [event.sequence_number for event in events]
        assert numbers == list(range(len(numbers))), numbers
        assert events[0].type == "response.created", events[0]
        last = events[-1].response
        if last.status == "completed":
            assert stream.get_final_response().id == last.id
        return last


def calls(response):
    return [(item.name, json.loads(item.arguments)) for item in response.output if item.type == "function_call"]


for upstream in UPSTREAMS + ["simulator"]:
    for way in (whole, streamed):

        def model(kind):
            return f"{upstream}/{kind}"

        name = f"{upstream} {way.__name__}"
        simulated = upstream == "simulator"

        @check(f"{name} text")
        def _():
            asked = model("sim-text" if simulated else "text")
            response = way(**ask(asked, instructions="Be kind.", max_output_tokens=500))
            assert response.status == "completed" and response.object == "response", response
            assert response.id.startswith("resp_"), response.id
            assert simulated or response.output_text == SAID, response
            usage = response.usage
            assert usage.input_tokens + usage.output_tokens == usage.total_tokens and usage.output_tokens > 0, usage
            if not simulated:
                assert (usage.input_tokens, usage.output_tokens) == (101, 37), usage
                assert usage.input_tokens_details.cached_tokens == (0 if upstream == "llama" else 13), usage

        @check(f"{name} tool")
        def _():
            response = way(**ask(model("sim-tool" if simulated else "tool"), tools=TOOLS))
            assert calls(response)[0] == HANOI if not simulated else calls(response)[0][0] == "get_weather", response
            assert response.status == "completed", response
            outputs = [
                {"type": "function_call_output", "call_id": item.call_id, "output": "31 °C"}
                for item in response.output
                if item.type == "function_call"
            ]
            turns = [{"role": "user", "content": "The weather?"}, *response.output, *outputs]
            again = way(**ask(model("sim-text" if simulated else "text"), tools=TOOLS, input=turns))
            assert simulated or again.output_text == SAID, again

        @check(f"{name} reasoning")
        def _():
            asked = model("sim-reasoning" if simulated else "reasoning")
            more = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
            response = way(**ask(asked, store=False, **more))
            first = response.output[0]
            assert first.type == "reasoning", response
            # Raw reasoning is told as a summary too, which is what most applications show.
            told = "".join(part.text for part in first.summary)
            assert simulated or told == THOUGHT, response
            turns = [{"role": "user", "content": "Hello?"}, *response.output, {"role": "user", "content": "And?"}]
            again = way(**ask(model("sim-text" if simulated else "text"), store=False, input=turns, **more))
            assert again.output_text, again

        @check(f"{name} errors")
        def _():
            for status, kind, told in [
                (400, openai.BadRequestError, 400),
                (404, openai.NotFoundError, 404),
                (429, openai.RateLimitError, 429),
                (500, openai.InternalServerError, None),
                (503, openai.InternalServerError, None),
            ]:
                asked = f"sim-status-{status}" if simulated else f"early-{status}"
                try:
                    way(**ask(model(asked)))
                except openai.APIStatusError as error:
                    assert isinstance(error, kind), f"{status}: {error!r}"
                    assert set(error.body) >= {"message", "type", "param", "code"}, error.body
                    assert told is None or error.status_code == told, error
                    assert str(status) in error.body["message"], error.body
                else:
                    raise AssertionError(f"nothing raised for {status}")

        @check(f"{name} cut")
        def _():
            for kind in ["sim-cut"] if simulated else ["cut", "late"]:
                try:
                    got = way(**ask(model(kind)))
                except openai.APIStatusError as error:
                    assert way is whole and error.status_code >= 500, error
                else:
                    assert way is streamed and got.status == "failed" and got.error.code, got

        if simulated:
            continue

        @check(f"{name} two tools")
        def _():
            response = way(**ask(model("two-tools"), tools=TOOLS))
            assert calls(response) == [HANOI, HUE], response
            ids = [item.call_id for item in response.output]
            assert len(set(ids)) == 2, ids
            png = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
            outputs = [
                {"type": "function_call_output", "call_id": ids[0], "output": [{"type": "input_text", "text": "sun"}, png]},
                {"type": "function_call_output", "call_id": ids[1], "output": "rain"},
            ]
            turns = [{"role": "user", "content": "The weather?"}, *response.output, *outputs]
            again = way(**ask(model("text"), tools=TOOLS, input=turns))
            assert again.output_text == SAID, again

        @check(f"{name} mixed")
        def _():
            response = way(**ask(model("mixed"), tools=TOOLS))
            assert response.output_text == "Let me see. One moment." and calls(response) == [HANOI], response

        @check(f"{name} image")
        def _():
            png = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
            asked = [{"role": "user", "content": [png, {"type": "input_text", "text": "What is it?"}]}]
            assert way(**ask(model("text"), input=asked)).output_text == SAID

        @check(f"{name} refusal")
        def _():
            response = way(**ask(model("refusal")))
            part = response.output[-1].content[0]
            if upstream == "llama":
                assert part.text == REFUSED, response
            elif upstream == "claude":
                # Anthropic does not say which of the text is the refusal, only that the model stopped for one.
                assert part.text == REFUSED and response.status == "incomplete", response
                assert response.incomplete_details.reason == "content_filter", response
            else:
                assert part.type == "refusal" and part.refusal == REFUSED, response

        @check(f"{name} length")
        def _():
            response = way(**ask(model("length")))
            assert response.status == "incomplete", response
            assert response.incomplete_details.reason == "max_output_tokens", response
            assert response.output_text == SAID, response


def raises(kind, call):
    try:
        got = call()
    except openai.APIStatusError as error:
        assert type(error) is kind, f"{kind.__name__} expected, got {error!r}"
        return error
    raise AssertionError(f"{kind.__name__} expected, nothing raised: {got}")


wrong = OpenAI(base_url=os.environ["BASE_URL"], api_key="vk-wrong", max_retries=0)
raises(openai.AuthenticationError, lambda: wrong.responses.create(**ask("chat/text")))
raises(openai.BadRequestError, lambda: whole(**ask("nobody/knows")))
raises(openai.BadRequestError, lambda: whole(**ask("chat/text", background=True)))
report()
