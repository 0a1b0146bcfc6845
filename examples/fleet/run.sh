#!/usr/bin/env bash
# Two replicas on one PostgreSQL and one Redis: a key, its rate limit and a cached response hold for both.
source "$(dirname "$0")/../common.sh"
if [ -z "${DATABASE_URL:-}" ] || [ -z "${REDIS_URL:-}" ]; then
  echo "skipped: DATABASE_URL and REDIS_URL are not set"
  exit 0
fi
export GATEWAY_MASTER_KEY=${GATEWAY_MASTER_KEY:-$(printf '0%.0s' $(seq 64))}
OTHER=${OTHER_PORT:-$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')}
start_gateway first "$PORT"
start_gateway second "$OTHER"

# ask PORT TEXT [CURL_OPTION...]: a chat request to one of the replicas.
ask() {
  URL=http://127.0.0.1:$1
  chat "$key" sim-text "$2" "${@:3}"
}

key=$(new_key '{"name": "Fleet example", "rate_limit": 20}')
for _ in $(seq 50); do # the other replica learns of the key through Redis
  ask "$OTHER" "Hello"
  [ "$STATUS" = 200 ] && break
  sleep 0.1
done
expect "the status at the other replica" "$STATUS" 200

key=$(new_key '{"name": "Limited", "rate_limit": 20}')
served=0
sleep 3
for request in $(seq 20); do
  for port in "$PORT" "$OTHER"; do
    ask "$port" "Hello"
    [ "$STATUS" != 200 ] || served=$((served + 1))
  done
done
expect "the number of 40 requests that a limit of 20 serves" "$served" 20

key=$(new_key '{"name": "Cached"}')
sleep 3
ask "$PORT" "A question $RANDOM" -H "x-portkey-config: cached"
text=$(json choices.0.message.content <"$BODY")
for _ in $(seq 20); do # the first replica stores its response in Redis after it has answered
  ask "$OTHER" "$text" -H "x-portkey-config: cached"
  [ "$(header x-portkey-cache-status)" = HIT ] && break
  sleep 0.1
done
expect "the cache status at the other replica" "$(header x-portkey-cache-status)" HIT
