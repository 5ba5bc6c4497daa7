#!/bin/sh
# Runs the tests under every Python that the project supports, each in a virtual environment of its own.
# usage: T=tests/unit WORKERS=5 scripts/test-pythons.sh     (without T: everything)
set -eu
cd "$(dirname "$0")/.."

needed='3.11 3.12 3.13'
where_to_be_had=3.14
failed=

version_of() { "python$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null || :; }

for version in $needed $where_to_be_had; do
    if [ "$(version_of "$version")" != "$version" ]; then
        case $version in
            "$where_to_be_had") printf 'python%s is not installed: not tested.\n' "$version" ;;
            *)
                printf 'python%s is not installed. Install it so that PATH finds it, and run this again.\n' "$version" >&2
                failed="$failed $version"
                ;;
        esac
        continue
    fi
    printf '\n== Python %s\n' "$version"
    venv=.venv-$version
    VENV=$venv PYTHON=python$version scripts/setup.sh all
    # shellcheck disable=SC2086 # T is a list of paths
    "$venv/bin/pytest" -n "${WORKERS:-5}" ${T:-} || failed="$failed $version"
done

[ -z "$failed" ] || {
    printf 'FAILED under Python%s\n' "$failed" >&2
    exit 1
}
