# shellcheck shell=sh disable=SC2034,SC2154
# Items of the kind server: the globals of a PostgreSQL server, and then each of its databases, those that are new too; each
# is a backup of its own, ITEM.globals and ITEM.DATABASE, with its own files, record and retention. Sent behind backup.sh.
#
# Settings: GLOBALS_WANTED (yes, no)

bk_server_main() { # PATTERN...: databases to leave out
    began=$(date +%s) server=$ITEM what=backup step=preflight
    failed='' number=0
    trap 'exit 143' HUP INT TERM
    hooked='' warnings=''
    bk_may_begin
    bk_gently
    bk_need psql pg_dump pg_restore mktemp
    all=$(mktemp -d) || bk_fail "no temporary directory"
    trap 'code=$?; bk_run_after failed; rm -rf "$all"; exit "$code"' EXIT
    psql -wqAtX -o "$all/names" -c "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate
        AND datname !~ '^remotejobs_restore_' AND strpos(datname, chr(10)) = 0 ORDER BY datname" ||
        bk_fail "the databases cannot be listed"
    psql -wqAtX -o "$all/closed" -c "SELECT quote_ident(datname) FROM pg_catalog.pg_database
        WHERE NOT datistemplate AND (NOT datallowconn OR strpos(datname, chr(10)) > 0)" || bk_fail "the databases cannot be listed"
    : >"$all/report"
    bk_run_before
    globals=''
    if [ "$GLOBALS_WANTED" = yes ]; then
        bk_server_one globals sql globals "$PGDATABASE"
        globals=$(sed -n 's/^path=\(.*\.sql\)$/\1/p' "$all/report" | sed -n 1p)
    fi
    while IFS= read -r database <&3; do
        ! bk_server_excluded "$database" "$@" || continue
        bk_server_one postgres "$EXTENSION" "$(bk_server_name "$database")" "$database" 3<&-
    done 3<"$all/names"
    bk_run_after "$([ -n "$failed" ] && echo failed || echo made)"
    bk_server_report
}

bk_server_excluded() { # DATABASE PATTERN...
    one=$1
    shift
    for pattern in "$@"; do
        # shellcheck disable=SC2254 # it is a pattern
        case $one in $pattern) return 0 ;; esac
    done
    return 1
}

bk_server_name() { # DATABASE -> what its files are called; another name is another one
    plain=$(printf '%s' "$1" | LC_ALL=C tr -c 'A-Za-z0-9._-' '_')
    case $plain in
    globals | *.[0-9]*) ;; # it could be what another one is called with its number
    "$1") printf '%s' "$plain" && return ;;
    esac
    printf '%s' "$plain.$(printf '%s' "$1" | cksum | cut -d ' ' -f 1)"
}

bk_server_one() { # KIND EXTENSION NAME DATABASE: one that fails stops no other
    number=$((number + 1))
    printf 'of=%s\n' "$4" >>"$all/report" # echo would make lines of a name with \n in it
    (
        KIND=$1 EXTENSION=$2 ITEM=$server.$3 PGDATABASE=$4 GLOBALS=$globals REPORT_TO=$all/report
        export PGDATABASE
        hooked=above WINDOW='' NICE=0 IO=''
        [ "$KIND" = postgres ] || RESTORE_ON=cluster MIN_BYTES=1
        bk_main
    ) || failed="$failed${failed:+, }$4"
}

bk_server_report() { # read by Python, in the form of a single backup
    step=report
    bk_home "$DIRECTORY"
    closed=$(tr '\n' ' ' <"$all/closed")
    # By the environment: -v would make lines of a name with \n in it.
    RJ_WARNINGS=$warnings RJ_CLOSED=$closed RJ_PATH="$path/$server.*" awk -F = -v seconds="$(($(date +%s) - began))" -v retention="$RETENTION" '
        BEGIN { closed = ENVIRON["RJ_CLOSED"]; path = ENVIRON["RJ_PATH"] }
        { value = substr($0, index($0, "=") + 1) }
        $1 == "of" { name = value }
        $1 == "path" { made++ }
        $1 == "bytes" || $1 == "kept" || $1 == "removed" { sum[$1] += value }
        $1 == "restore_tested" && value == "yes" { tested++ }
        $1 == "untested" && value != "" && untested == "" { untested = name ": " value }
        $1 == "warning" { warnings = warnings "warning=" name ": " value "\n" }
        END {
            print "remotejobs-backup 1\npath=" path "\nbytes=" sum["bytes"] + 0 "\nsha256=\nseconds=" seconds
            print "restore_tested=" (made > 0 && tested == made ? "yes" : "no") "\nkept=" sum["kept"] + 0
            print "removed=" sum["removed"] + 0 "\nretention=" retention "\nuntested=" untested "\nincomplete="
            if (closed != "") print "warning=not backed up, as they allow no connections: " closed
            printf "%s%s", warnings, ENVIRON["RJ_WARNINGS"]
            print "end"
        }' "$all/report"
    [ -z "$failed" ] || bk_fail "of $number, these failed: $failed"
}

# --- globals: roles, with their passwords, and tablespaces -----------------------------------------------------------

bk_globals_need() {
    bk_need pg_dumpall
    [ "$RESTORE_TEST" = yes ] || return 0
    bk_test_preflight
}

bk_globals_dump() {
    ran='pg_dumpall -w --globals-only'
    $ran -f "$part" 2>"$work/said" && return
    why=$(bk_said)
    ran="$ran --no-role-passwords"
    $ran -f "$part" || bk_fail "pg_dumpall ended with $?"
    bk_warn "without the passwords of roles: $why"
}

bk_globals_check() {
    tail -n 5 "$part" | grep -q '^-- PostgreSQL database cluster dump complete' || bk_fail "its end is missing"
    bk_check_passed 'its last line is there'
    bk_version pg_dumpall "$(pg_dumpall --version)"
}

bk_globals_restored() {
    bk_say restore "into a throw-away server in $RESTORE_DIRECTORY"
    bk_cluster_up '' 1024 && bk_load_globals "$DIRECTORY/$file" || return
    wanted=$(($(grep -c '^CREATE ROLE ' "$DIRECTORY/$file")))
    roles=$(bk_at psql -wqAtX -d template1 -c "SELECT count(*) FROM pg_catalog.pg_roles
        WHERE rolname !~ '^pg_' AND rolname <> 'remotejobs_restore_test'")
    [ "$roles" = "$wanted" ] || bk_cannot "it has $wanted roles, and $roles are there when it is loaded"
}

bk_load_globals() { # FILE: without the tablespaces, whose directories a throw-away server has not
    grep -v -e '^CREATE TABLESPACE ' -e '^ALTER TABLESPACE ' -e '^GRANT .* ON TABLESPACE ' -e '^REVOKE .* ON TABLESPACE ' \
        -e '^COMMENT ON TABLESPACE ' "$1" >"$work/globals"
    bk_guarded /dev/null psql -wqX -d template1 -v ON_ERROR_STOP=1 -f "$work/globals" ||
        bk_cannot "the globals cannot be loaded: $(bk_said)"
}
