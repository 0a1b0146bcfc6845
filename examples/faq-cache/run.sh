#!/usr/bin/env bash
# A question that is asked again, refreshed and removed; with an embedding model also a paraphrase.
source "$(dirname "$0")/../common.sh"
start_gateway
key=$(new_key '{"name": "FAQ example"}')
question="How do I reset my password?"

chat "$key" any-model "$question"
expect "the status of the first request" "$STATUS" 200
chat "$key" any-model "$question"
expect "the cache status of the second request" "$(header x-portkey-cache-status)" HIT
expect "its cost" "$(header x-gateway-cost-usd)" 0
cache_key=$(header x-gateway-cache-key)

chat "$key" any-model "$question" -H "cache-control: no-cache"
expect "the cache status of a refresh" "$(header x-portkey-cache-status)" REFRESH
chat "$key" any-model "$question" -H "x-portkey-cache-namespace: internal"
case $(header x-portkey-cache-status) in
  *MISS) echo "ok: another namespace has its own answers" ;;
  *) fail "another namespace shares the answer" ;;
esac

if "$GATEWAY_BIN" models check >/dev/null 2>&1; then
  for _ in $(seq 100); do # the model loads in the background
    chat "$key" any-model "How can I reset my password?"
    status=$(header x-portkey-cache-status)
    [ "$status" = "SEMANTIC HIT" ] && break
    admin DELETE "/cache?key=$(header x-gateway-cache-key)" >/dev/null
    chat "$key" any-model "$question" -H "cache-control: no-cache"
    sleep 0.2
  done
  expect "the cache status of a paraphrase" "$status" "SEMANTIC HIT"
  chat "$key" any-model "How do I reset my username?"
  expect "the cache status of another question" "$(header x-portkey-cache-status)" "SEMANTIC MISS"
else
  echo "skipped: the paraphrase, because no embedding model is on this machine (gateway models pull)"
fi

admin DELETE "/cache?key=$cache_key" >/dev/null
chat "$key" any-model "$question"
case $(header x-portkey-cache-status) in
  HIT) fail "the removed answer is still there" ;;
  *) echo "ok: the answer was removed" ;;
esac
