// What an application does with OpenAI's official client for Node, against a running gateway.

import assert from "node:assert/strict";
import OpenAI from "openai";
import { BASE_URL, CITIES, KEY, SAID, UPSTREAMS, WEATHER, check, report } from "./checks.mjs";

const client = new OpenAI({ baseURL: BASE_URL, apiKey: KEY, maxRetries: 0 });
const about = { name: "get_weather", description: "The weather of a city.", parameters: WEATHER };

async function chat(body, streamed) {
  if (!streamed) {
    return client.chat.completions.create(body);
  }
  return client.chat.completions.stream({ ...body, stream_options: { include_usage: true } }).finalChatCompletion();
}

async function respond(body, streamed) {
  return streamed ? client.responses.stream(body).finalResponse() : client.responses.create(body);
}

for (const upstream of UPSTREAMS) {
  for (const streamed of [false, true]) {
    const way = `${upstream} ${streamed ? "streamed" : "whole"}`;
    const cached = upstream === "llama" ? 0 : 13;

    await check(`chat ${way} text`, async () => {
      const messages = [{ role: "user", content: "Xin chào!" }];
      const answer = await chat({ model: `${upstream}/text`, messages }, streamed);
      assert.equal(answer.choices[0].message.content, SAID);
      assert.equal(answer.choices[0].finish_reason, "stop");
      assert.deepEqual([answer.usage.prompt_tokens, answer.usage.completion_tokens], [101, 37]);
    });

    await check(`chat ${way} tools`, async () => {
      const tools = [{ type: "function", function: about }];
      const asked = [{ role: "user", content: "The weather?" }];
      const answer = await chat({ model: `${upstream}/two-tools`, messages: asked, tools }, streamed);
      const message = answer.choices[0].message;
      const cities = message.tool_calls.map((call) => JSON.parse(call.function.arguments).city);
      assert.deepEqual([cities, answer.choices[0].finish_reason], [CITIES, "tool_calls"]);
      const results = message.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "31 °C" }));
      const next = await chat({ model: `${upstream}/text`, messages: [...asked, message, ...results], tools }, streamed);
      assert.equal(next.choices[0].message.content, SAID);
    });

    await check(`responses ${way} text`, async () => {
      const answer = await respond({ model: `${upstream}/text`, input: "Xin chào!" }, streamed);
      assert.equal(answer.status, "completed");
      assert.equal(answer.output_text, SAID);
      assert.deepEqual([answer.usage.input_tokens, answer.usage.output_tokens], [101, 37]);
      assert.equal(answer.usage.input_tokens_details.cached_tokens, cached);
    });

    await check(`responses ${way} tools`, async () => {
      const tools = [{ type: "function", ...about, strict: false }];
      const answer = await respond({ model: `${upstream}/two-tools`, input: "The weather?", tools }, streamed);
      const calls = answer.output.filter((item) => item.type === "function_call");
      assert.deepEqual(calls.map((call) => JSON.parse(call.arguments).city), CITIES);
      const outputs = calls.map((call) => ({ type: "function_call_output", call_id: call.call_id, output: "31 °C" }));
      const more = { previous_response_id: answer.id, input: outputs, tools };
      const next = await respond({ model: `${upstream}/text`, ...more }, streamed);
      assert.equal(next.output_text, SAID);
    });

    await check(`${way} errors`, async () => {
      const messages = [{ role: "user", content: "Xin chào!" }];
      await assert.rejects(chat({ model: `${upstream}/early-429`, messages }, streamed), OpenAI.RateLimitError);
      const input = "Xin chào!";
      await assert.rejects(respond({ model: `${upstream}/early-400`, input }, streamed), OpenAI.BadRequestError);
    });
  }

  await check(`${upstream} a stream that fails`, async () => {
    const messages = [{ role: "user", content: "Xin chào!" }];
    await assert.rejects(chat({ model: `${upstream}/late`, messages }, true), OpenAI.OpenAIError);
    const response = await respond({ model: `${upstream}/late`, input: "Xin chào!" }, true);
    assert.equal(response.status, "failed");
  });
}
report();
