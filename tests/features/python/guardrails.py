"""The example of guardrails as printed, with the official client."""

import json
import os

import openai
from openai import OpenAI

client = OpenAI(base_url=os.environ["BASE_URL"], api_key=os.environ["KEY"])

config = {
    "guardrails": {
        "input": [
            {
                "type": "pii_detection",
                "action": "redact"
            }
        ],
        "output": [
            {
                "type": "pii_detection",
                "action": "deny"
            },
            {
                "type": "content_safety",
                "threshold": 0.8
            }
        ]
    }
}
LINE = "Nhân viên [NAME_REDACTED], CMND [CMND_REDACTED]"


def ask(content, config=config, **more):
    return client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": content}],
        extra_headers={"x-portkey-config": json.dumps(config)},
        **more,
    )


# As printed: the provider, which repeats what it is asked, has seen the redacted line.
answer = ask("Nhân viên Nguyễn Văn A, CMND 123456789")
assert answer.choices[0].message.content == LINE, answer
found = answer.metadata["guardrails"]
assert found[0]["verdict"] == "redacted" and found[0]["counts"] == {"NAME": 1, "CMND": 1}, found

# Streamed.
chunks = list(ask("Nhân viên Nguyễn Văn A, CMND 123456789", stream=True))
assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == LINE, chunks

# The answer shows personal data: refused, without a second try.
output_only = {"guardrails": {"output": config["guardrails"]["output"]}}
try:
    ask("Trả lời: Nhân viên Nguyễn Văn A, CMND 123456789", config=output_only)
    raise AssertionError("a denied answer was given")
except openai.APIStatusError as error:
    assert error.status_code == 446 and "123456789" not in str(error.body), error
    assert error.response.headers["x-should-retry"] == "false"

# Streamed, it is an error in the middle.
try:
    said = "".join(
        chunk.choices[0].delta.content or ""
        for chunk in ask("Trả lời: Nhân viên Nguyễn Văn A, CMND 123456789", config=output_only, stream=True)
    )
    raise AssertionError(f"a denied stream was complete: {said}")
except openai.APIError as error:
    assert "123456789" not in str(error), error

# Refused before it leaves.
deny = {"guardrails": {"input": [{"type": "pii_detection", "action": "deny"}]}}
for stream in (False, True):
    try:
        ask("Nhân viên Nguyễn Văn A, CMND 123456789", config=deny, stream=stream)
        raise AssertionError("a denied request was answered")
    except openai.APIStatusError as error:
        assert error.status_code == 446, error

print("all good")
