// What an application does with Anthropic's official client for Node, against a running gateway.

import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { BASE_URL, CITIES, KEY, SAID, THOUGHT, UPSTREAMS, WEATHER, check, report } from "./checks.mjs";

const client = new Anthropic({ baseURL: BASE_URL.replace(/\/v1$/, ""), apiKey: KEY, maxRetries: 0 });
const tools = [{ name: "get_weather", description: "The weather of a city.", input_schema: WEATHER }];

function ask(model, more = {}) {
  return { model, max_tokens: 1000, messages: [{ role: "user", content: "Xin chào!" }], ...more };
}

async function answered(body, streamed) {
  return streamed ? client.messages.stream(body).finalMessage() : client.messages.create(body);
}

for (const upstream of UPSTREAMS) {
  for (const streamed of [false, true]) {
    const way = `${upstream} ${streamed ? "streamed" : "whole"}`;
    const cached = upstream === "llama" ? 0 : 13;

    await check(`${way} text`, async () => {
      const message = await answered(ask(`${upstream}/text`, { system: "Be kind." }), streamed);
      assert.deepEqual(message.content.map((block) => [block.type, block.text]), [["text", SAID]]);
      assert.equal(message.stop_reason, "end_turn");
      const { input_tokens, output_tokens, cache_read_input_tokens } = message.usage;
      assert.deepEqual([input_tokens, output_tokens, cache_read_input_tokens], [101 - cached, 37, cached]);
    });

    await check(`${way} reasoning`, async () => {
      const thinking = { type: "enabled", budget_tokens: 1024 };
      const message = await answered(ask(`${upstream}/reasoning`, { max_tokens: 3000, thinking }), streamed);
      assert.equal(message.content[0].thinking, THOUGHT);
      assert.equal(message.content[1].text, SAID);
    });

    await check(`${way} tools`, async () => {
      const message = await answered(ask(`${upstream}/two-tools`, { tools }), streamed);
      const calls = message.content.filter((block) => block.type === "tool_use");
      assert.deepEqual([calls.map((call) => call.input.city), message.stop_reason], [CITIES, "tool_use"]);
      const results = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: "31 °C" }));
      const messages = [
        { role: "user", content: "The weather?" },
        { role: "assistant", content: message.content },
        { role: "user", content: results },
      ];
      const next = await answered(ask(`${upstream}/text`, { tools, messages }), streamed);
      assert.equal(next.content[0].text, SAID);
    });

    await check(`${way} errors`, async () => {
      await assert.rejects(answered(ask(`${upstream}/early-429`), streamed), Anthropic.RateLimitError);
      await assert.rejects(answered(ask(`${upstream}/early-400`), streamed), Anthropic.BadRequestError);
    });
  }

  await check(`${upstream} a stream that fails`, async () => {
    await assert.rejects(answered(ask(`${upstream}/late`), true), Anthropic.APIError);
  });
}
report();
