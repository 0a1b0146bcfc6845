# Functions of the examples. Each run.sh sources this file, starts the gateway with its own gateway.toml, checks the
# responses, and exits with 0 if they are right.
#
#   GATEWAY_BIN   the gateway binary; default: target/release/gateway of this checkout
#   PORT          the port of the gateway on 127.0.0.1; default: 8000
set -euo pipefail

EXAMPLE=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)
GATEWAY_BIN=$(realpath "${GATEWAY_BIN:-$EXAMPLE/../../target/release/gateway}")
PORT=${PORT:-8000}
URL=http://127.0.0.1:$PORT
export GATEWAY_ADMIN_TOKEN=admin-token-of-the-examples
# The checks are exact, so that a slow disk must not refuse a request.
export GATEWAY_STORE__QUERY_TIMEOUT_MS=5000
WORK=$(mktemp -d)
PIDS=()

stop_all() {
  local status=$?
  trap - EXIT
  for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
  if [ $status -ne 0 ] && [ "$status" -ne 75 ]; then
    cat "$WORK"/*.err >&2 2>/dev/null || true
  fi
  rm -rf "$WORK"
  exit $status
}
trap stop_all EXIT

# fail MESSAGE: ends the example as failed, and prints the last response.
fail() {
  echo "FAILED: $*" >&2
  if [ -s "${BODY:-}" ]; then cat "$BODY" >&2; fi
  exit 1
}

# start_gateway [NAME [PORT]]: starts a gateway in a folder of its own and waits until it is ready.
start_gateway() {
  local name=${1:-gateway} port=${2:-$PORT}
  mkdir -p "$WORK/$name"
  (cd "$WORK/$name" && GATEWAY_SERVER__LISTEN=127.0.0.1:$port exec "$GATEWAY_BIN" serve --config "$EXAMPLE/gateway.toml") \
    >"$WORK/$name.log" 2>"$WORK/$name.err" &
  PIDS+=($!)
  for _ in $(seq 200); do
    if curl -fs "http://127.0.0.1:$port/health/ready" >/dev/null; then return; fi
    kill -0 "${PIDS[-1]}" 2>/dev/null || fail "the gateway ended: $(cat "$WORK/$name.err")"
    sleep 0.1
  done
  fail "the gateway is not ready: $(tail -n 3 "$WORK/$name.log")"
}

# start_server SCRIPT [ARGUMENT...]: starts a Python server that prints its port as the first line; sets SERVER_PORT.
start_server() {
  local out
  out="$WORK/$(basename "$1").out"
  : >"$out"
  python3 -u "$@" >"$out" 2>"$out.err" &
  PIDS+=($!)
  for _ in $(seq 100); do
    SERVER_PORT=$(head -n 1 "$out")
    if [ -n "$SERVER_PORT" ]; then return; fi
    sleep 0.1
  done
  fail "$1 did not start"
}

# admin METHOD PATH [BODY]: asks the admin API and prints its response.
admin() {
  curl -fsS -X "$1" "$URL/admin$2" -H "Authorization: Bearer $GATEWAY_ADMIN_TOKEN" \
    -H "Content-Type: application/json" ${3:+-d "$3"}
}

# new_key BODY: creates a virtual key and prints its text.
new_key() {
  admin POST /virtual-keys "$1" | json virtual_key
}

# json PATH: prints a value of the JSON object on standard input; PATH is like choices.0.message.content.
json() {
  python3 -c '
import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."):
    value = value[int(name)] if isinstance(value, list) else value[name]
print(value if isinstance(value, str) else json.dumps(value))' "$1"
}

# chat KEY MODEL TEXT [CURL_OPTION...]: sends a chat request. Sets STATUS; the response is in $BODY, its headers are in $HEADERS.
chat() {
  local key=$1 model=$2 text=$3
  shift 3
  BODY=$WORK/body.json HEADERS=$WORK/headers.txt
  STATUS=$(curl -sS -o "$BODY" -D "$HEADERS" -w '%{http_code}' "$URL/v1/chat/completions" \
    -H "Authorization: Bearer $key" -H "Content-Type: application/json" "$@" \
    -d "{\"model\": \"$model\", \"messages\": [{\"role\": \"user\", \"content\": \"$text\"}]}")
}

# header NAME: prints a header of the last response.
header() {
  sed -n "s/^$1: //Ip" "$HEADERS" | tr -d '\r'
}

# expect WHAT ACTUAL WANTED: compares, and prints the result.
expect() {
  [ "$2" = "$3" ] || fail "$1 is '$2', wanted '$3'"
  echo "ok: $1 is $2"
}
