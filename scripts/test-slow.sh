#!/bin/sh
# Runs what `make test` leaves out, and writes down when that was last done: tests/last-slow-run.txt, which `make test` shows.
set -eu
cd "$(dirname "$0")/.."

bin=${BIN:-.venv/bin}
began=$(date +%s)

"$bin/pytest" -m slowest
"$bin/python" -m faults --scale full --write
"$bin/python" -m faults.checker --seed "$(date +%Y%m%d)" --minutes 60 --write

printf '%s at commit %s, in %d min\n' "$(date -u +%Y-%m-%d)" "$(git rev-parse --short HEAD)" \
    "$((($(date +%s) - began) / 60))" > tests/last-slow-run.txt
