// What an application does with Vercel's AI SDK, against a running gateway.

import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { BASE_URL, KEY, SAID, UPSTREAMS, WEATHER, check, report } from "./checks.mjs";

const openai = createOpenAI({ baseURL: BASE_URL, apiKey: KEY });
const anthropic = createAnthropic({ baseURL: BASE_URL, apiKey: KEY });
const FORMATS = {
  chat: (model) => openai.chat(model),
  responses: (model) => openai.responses(model),
  messages: (model) => anthropic(model),
};

async function answered(body, streamed) {
  const whole = { maxRetries: 0, ...body };
  if (!streamed) {
    const { text, finishReason, usage, steps } = await generateText(whole);
    return { text, finishReason, usage, steps };
  }
  const told = streamText({ ...whole, onError: () => {} });
  const [text, finishReason, usage, steps] = [await told.text, await told.finishReason, await told.usage, await told.steps];
  return { text, finishReason, usage, steps };
}

for (const [format, model] of Object.entries(FORMATS)) {
  for (const upstream of UPSTREAMS) {
    for (const streamed of [false, true]) {
      const way = `${format} ${upstream} ${streamed ? "streamed" : "whole"}`;

      await check(`${way} text`, async () => {
        const answer = await answered({ model: model(`${upstream}/text`), prompt: "Xin chào!" }, streamed);
        assert.deepEqual([answer.text, answer.finishReason], [SAID, "stop"]);
        assert.deepEqual([answer.usage.inputTokens, answer.usage.outputTokens], [101, 37]);
      });

      await check(`${way} tools`, async () => {
        const asked = [];
        const execute = async ({ city }) => {
          asked.push(city);
          return "31 °C";
        };
        const tools = { get_weather: tool({ description: "The weather.", inputSchema: jsonSchema(WEATHER), execute }) };
        // Two steps, as the model asks for the tool again and again.
        const body = { model: model(`${upstream}/tool`), prompt: "The weather?", tools, stopWhen: stepCountIs(2) };
        const answer = await answered(body, streamed);
        assert.deepEqual([asked, answer.finishReason, answer.steps.length], [["Hà Nội", "Hà Nội"], "tool-calls", 2]);
      });

      await check(`${way} errors`, async () => {
        await assert.rejects(answered({ model: model(`${upstream}/early-400`), prompt: "Xin chào!" }, streamed));
      });
    }
  }
}
report();
