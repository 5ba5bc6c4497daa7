#!/bin/sh
# Runs the deployment rolling-repair after a rolling update, waits for its end, and says what came of it.
# usage: [BIN=DIRECTORY] scripts/repair.sh FLOW_RUN_ID     fails when a host stays out
# BIN is where prefect and python are, .venv/bin if nothing is said.
set -eu
cd "$(dirname "$0")/.."
bin=${BIN:-.venv/bin}
prefect=$bin/prefect

die() {
    printf 'repair: %s\n' "$@" >&2
    exit 2
}

[ -n "${1:-}" ] || die "which rolling update? Say: make repair RUN=ID" "The id stands in the address of its flow run in the UI."
[ -x "$prefect" ] || die "$prefect is not there. Say: make setup"
# Without a server Prefect would start one of its own, which knows no run.
"$prefect" config view --hide-sources | grep -q "^PREFECT_API_URL=" ||
    die "which Prefect server? Say: export PREFECT_API_URL=http://HOST:4200/api" "(make up prints the address of its own.)"

made=$("$prefect" deployment run rolling-repair/rolling-repair --param run="\"$1\"") || die "$made"
id=$(printf '%s\n' "$made" | sed -n 's/.*UUID: //p')
printf '%s\n' "$made" | sed -n 's/.*URL: //p'
"$prefect" flow-run watch "$id" > /dev/null && ended=0 || ended=1
"$prefect" flow-run inspect "$id" --output json | "$bin/python" -c '
import json, sys

state = json.load(sys.stdin)["state"]
print(state["name"], state["message"] or "", sep=": ")'
exit "$ended"
