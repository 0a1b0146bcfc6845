#!/usr/bin/env bash
# Two failing targets, then one that answers; a failure that does not move on; a stream that falls back.
source "$(dirname "$0")/../common.sh"
start_gateway
key=$(new_key '{"name": "Fallback example"}')

chat "$key" any-model "Hello"
expect "the status" "$STATUS" 200
expect "the target" "$(header x-portkey-last-used-option-index)" "config.targets[2]"
expect "the provider" "$(json metadata.provider <"$BODY")" simulator

chat "$key" any-model "Hello" -H "x-portkey-config: strict"
expect "the status of a failure that is not named" "$STATUS" 400

curl -fsS -N "$URL/v1/chat/completions" -H "Authorization: Bearer $key" -H "Content-Type: application/json" \
  -d '{"model": "any-model", "stream": true, "messages": [{"role": "user", "content": "Hello"}]}' >"$WORK/stream.txt"
expect "the end of the stream" "$(grep '^data' "$WORK/stream.txt" | tail -n 1)" "data: [DONE]"

fallbacks=$(curl -fsS "$URL/metrics" | awk '/^llm_fallbacks_total/ { sum += $2 } END { print sum }')
expect "llm_fallbacks_total" "$fallbacks" 4
