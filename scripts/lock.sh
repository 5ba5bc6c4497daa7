#!/bin/sh
# Writes requirements.lock anew from pyproject.toml: one file for Python 3.11 to 3.13, free of index addresses.
# Needs uv. UPGRADE=1 takes the newest releases; otherwise what is locked stays where it still fits.
set -eu
cd "$(dirname "$0")/.."

lock=requirements.lock
fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
[ ! -f "$lock" ] || cp "$lock" "$fresh"

uv pip compile --quiet --universal --python-version 3.11 --extra dev --extra server --no-annotate --no-header \
    ${UPGRADE:+--upgrade} --output-file "$fresh" pyproject.toml

{
    echo "# All that the project and its tests install, pinned. Written by scripts/lock.sh from pyproject.toml."
    grep -v '^#' "$fresh"
} > "$lock"
