#!/usr/bin/env bash
# Local models only. OLLAMA_URL names a real Ollama with llama3:8b; without it a small fake answers.
source "$(dirname "$0")/../common.sh"
if [ -n "${OLLAMA_URL:-}" ]; then
  export GATEWAY_PROVIDERS__OLLAMA__BASE_URL=$OLLAMA_URL
else
  start_server "$EXAMPLE/fake_ollama.py"
  export GATEWAY_PROVIDERS__OLLAMA__BASE_URL=http://127.0.0.1:$SERVER_PORT
fi
start_gateway
key=$(new_key '{"name": "Ollama example", "provider": "ollama", "allowed_providers": ["ollama"]}')

chat "$key" gpt-4o-mini "Xin chào!"
expect "the status" "$STATUS" 200
expect "the provider" "$(json metadata.provider <"$BODY")" ollama
expect "the model" "$(json model <"$BODY")" llama3:8b
expect "the cost" "$(header x-gateway-cost-usd)" 0
json choices.0.message.content <"$BODY"

curl -fsS -N "$URL/v1/chat/completions" -H "Authorization: Bearer $key" -H "Content-Type: application/json" \
  -d '{"model": "gpt-4o-mini", "stream": true, "messages": [{"role": "user", "content": "Xin chào!"}]}' >"$WORK/stream.txt"
expect "the end of the stream" "$(grep '^data' "$WORK/stream.txt" | tail -n 1)" "data: [DONE]"

chat "$key" gpt-4o-mini "Xin chào!" -H 'x-portkey-config: {"provider": "simulator", "model": "sim-text"}'
expect "the status of another provider" "$STATUS" 403
