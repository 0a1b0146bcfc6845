#!/usr/bin/env bash
# A load balance of 80 to 20 that keeps each user at one variant, and a report of both variants.
source "$(dirname "$0")/../common.sh"
start_gateway
key=$(new_key '{"name": "A/B test example"}')

# The variant of a user, as the path of the target.
variant() {
  chat "$key" any-model "Hello" -H "x-portkey-metadata: {\"user\": \"$1\"}"
  expect_quietly "the status" "$STATUS" 200
  header x-portkey-last-used-option-index
}
expect_quietly() {
  [ "$2" = "$3" ] || fail "$1 is '$2', wanted '$3'"
}

for user in $(seq 60); do variant "user-$user"; done >"$WORK/variants.txt"
control=$(grep -c 'targets\[0\]' "$WORK/variants.txt" || true)
candidate=$(grep -c 'targets\[1\]' "$WORK/variants.txt" || true)
echo "control: $control users, candidate: $candidate users"
[ "$control" -gt 30 ] && [ "$candidate" -gt 0 ] || fail "the shares are far from 80 to 20"

for user in $(seq 10); do variant "user-$user"; done >"$WORK/again.txt"
head -n 10 "$WORK/variants.txt" | cmp - "$WORK/again.txt" || fail "a user changed the variant"
echo "ok: users stay at their variant"

sleep 1 # the gateway writes the usage log in batches
admin GET "/usage?group_by=model&format=csv" | tee "$WORK/usage.csv"
expect "the number of variants in the report" "$(grep -c simulator/ "$WORK/usage.csv")" 2
