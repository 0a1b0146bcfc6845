#!/usr/bin/env bash
# A daily budget of a key and a monthly one of its team: requests, an alert, the cheaper fallback, the refusal.
source "$(dirname "$0")/../common.sh"
start_server "$EXAMPLE/alert_receiver.py" "$WORK/alerts.json"
export GATEWAY_ALERTS__WEBHOOK_URL=http://127.0.0.1:$SERVER_PORT/
start_gateway

# $100 per million tokens for sim-text; sim-echo costs nothing, like a local model.
admin PUT /pricing '{"provider": "simulator", "model": "sim-text", "input": "100", "output": "100", "source": "example"}' >/dev/null
admin PUT /team-budgets/support '{"monthly_limit_usd": 100}' >/dev/null
key=$(new_key '{"name": "Budget example", "team_id": "support", "budget_limit_usd": 0.05, "budget_period": "day"}')

chat "$key" sim-text "Hello"
expect "the status" "$STATUS" 200
echo "cost of one request: \$$(header x-gateway-cost-usd)"

for request in $(seq 60); do
  chat "$key" sim-text "Hello"
  [ "$STATUS" = 200 ] || break
done
expect "the status over budget" "$STATUS" 429
expect "whether to retry" "$(header x-should-retry)" false
json error.message <"$BODY"

chat "$key" any-model "Hello" -H "x-portkey-config: premium-first"
expect "the status with a cheaper fallback" "$STATUS" 200
expect "the target" "$(header x-portkey-last-used-option-index)" "config.targets[1]"

for _ in $(seq 50); do
  [ -s "$WORK/alerts.json" ] && break
  sleep 0.2
done
expect "the event of the alert" "$(head -n 1 "$WORK/alerts.json" | json event)" budget_threshold
expect "its percent" "$(head -n 1 "$WORK/alerts.json" | json percent)" 50

sleep 1 # the gateway writes the usage log in batches
admin GET /budgets | python3 -c '
import decimal, json, sys
for budget in json.load(sys.stdin)["data"]:
    print(budget["scope"], budget["period"], "spent", budget["spent_usd"], "of", budget["limit_usd"])
    assert decimal.Decimal(budget["spent_usd"]) <= decimal.Decimal(budget["limit_usd"]), budget'
