# shellcheck shell=sh disable=SC2034,SC2154
# Restores one backup on this host: beside what is there, counted, and only then under its name. What was there keeps its
# data under another name. Sent behind the texts of the backup, whose functions it uses; Python puts the settings above
# and one call of rs_main below it.
#
# Settings: DIRECTORY FILE SHA256 (as its record says, if it has one) ITEM KIND TARGET (a database, or an absolute directory)
#           BROUGHT (yes, no: it was brought here to be restored, and goes at the end) REPLACE (yes, no) OWNERS (yes, no) END_SESSIONS (yes, no) JOBS SCRATCH RESTORE_TIMEOUT RESTORE_RESERVE_KIB

rs_main() {
    umask 077
    what=restore began=$(date +%s) step=preflight stamp=$(date -u +%Y%m%dT%H%M%SZ)
    to_drop='' cluster='' worker='' guard='' watched='' new='' before='' warnings='' bad='' counts=''
    # By option, since the dbname of a service counts more than PGDATABASE: no database that is renamed or dropped is in use.
    RESTORE_ON=server test_began=$began maintenance=postgres
    trap rs_leave EXIT
    trap 'exit 143' HUP INT TERM
    work=$(mktemp -d) || bk_fail "no temporary directory"
    bk_sums
    bk_home "$DIRECTORY"
    { DIRECTORY=$path && cd "$DIRECTORY" && [ -f "$FILE" ]; } || bk_fail "the backup $DIRECTORY/$FILE is not there"
    [ ! -e "$FILE.damaged" ] || bk_fail "$FILE is marked damaged: $(cat "$FILE.damaged")"
    "rs_${KIND}_need"
    [ -n "$SHA256" ] || read -r SHA256 _ <"$FILE.sha256" || bk_fail "$FILE.sha256 cannot be read" # it has no record
    bk_say checksum "$FILE"
    found=$($sha256 <"$FILE") || bk_fail "$FILE cannot be read"
    [ "${found%% *}" = "$SHA256" ] || bk_fail "$FILE is damaged: its sha256 is ${found%% *}, and $SHA256 was recorded"
    bk_say restore "$FILE to $TARGET"
    "rs_$KIND"
    rs_report
}

rs_leave() { # however it ends: what was half restored goes, and nothing else
    left=$?
    trap - EXIT
    rs_put_back
    [ "$KIND" != mariadb ] || rs_mariadb_away
    bk_scratch_away
    [ -z "$new" ] || rm -rf "$new"
    [ -z "$work" ] || rm -rf "$work"
    case $BROUGHT:$DIRECTORY in yes:*/.brought-*) cd / && rm -rf "$DIRECTORY" ;; esac
    exit "$left"
}

rs_report() { # read by Python
    step=report
    printf '%s\n' "remotejobs-restore 1" "target=$TARGET" "before=$before" "counts=$counts" \
        "seconds=$(($(date +%s) - began))" end
}

# --- postgres --------------------------------------------------------------------------------------------------------

rs_postgres_need() {
    bk_need pg_restore psql dropdb
    rs_psql -c 'SELECT 1' >/dev/null || bk_fail "the server does not answer: $(bk_said)"
    rs_names
    [ "$there" = f ] || rs_may_replace
    bk_sweep_databases # what restores left whose host lost its power: no backup may ever come by
    bk_server_place || bk_fail "the server does not answer: $(bk_said)"
    if [ -z "$watched" ]; then
        echo "the free room of that server cannot be seen from this host as this user; restoring all the same"
    else
        rs_enough "$(($(bk_recorded_size "$FILE") * 2))"
    fi
}

rs_psql() { psql -wqAtX -d "$maintenance" -v ON_ERROR_STOP=1 -v target="$TARGET" "$@" 2>"$work/said"; }

rs_names() { # -> $there (t, f), $quoted, $before_name
    # PostgreSQL cuts what has more than 63 bytes.
    before_name=$(printf '%s\n' "$TARGET" | cut -b 1-39 | bk_utf8)_before_$(echo "$stamp" | tr TZ tz)
    cat >"$work/script" <<'SQL'
SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = :'target'),
    EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = :'before'), pg_catalog.quote_ident(:'target');
SQL
    rs_psql -F ' ' -v before="$before_name" -f "$work/script" -o "$work/names" || bk_fail "$(bk_said)"
    read -r there taken quoted <"$work/names"
    [ "$taken" = t ] || return 0
    sleep 1 # the database was restored within this second already
    stamp=$(date -u +%Y%m%dT%H%M%SZ)
    rs_names
}

rs_may_replace() {
    [ "$REPLACE" = yes ] ||
        bk_fail "the database $TARGET exists, and its replacement was not approved (--replace, or a yes to the flow's question; \
it would be kept as $before_name)"
    sessions=$(rs_sessions)
    [ "${sessions:-0}" -eq 0 ] || [ "$END_SESSIONS" = yes ] ||
        bk_fail "$sessions sessions use the database $TARGET: end them, or ask for that (end_sessions)"
}

rs_sessions() {
    echo "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = :'target'" >"$work/script"
    rs_psql -f "$work/script"
}

rs_enough() { # KIB
    [ "$free" -ge "$(($1 + RESTORE_RESERVE_KIB))" ] ||
        bk_fail "$watched has $free KiB free; the restore may need $1, and $RESTORE_RESERVE_KIB KiB stay free"
}

rs_postgres() {
    set -- --no-tablespaces
    [ "$OWNERS" = yes ] || set -- "$@" --no-owner --no-privileges
    bk_archive_of "$DIRECTORY/$FILE" || bk_fail "$FILE cannot be unpacked: $(bk_said)"
    if [ -n "$archive" ]; then rs_settings "$@"; else rs_no_settings; fi
    to_drop=1
    # Its comment says until when it may be there: a later sweep removes it if this host loses its power.
    {
        echo "CREATE DATABASE $SCRATCH WITH TEMPLATE = template0 $locale;"
        echo "COMMENT ON DATABASE $SCRATCH IS 'remotejobs restore test, over by $((began + RESTORE_TIMEOUT + 900))';"
    } >"$work/script"
    rs_psql -f "$work/script" || bk_fail "a database cannot be made: $(bk_said)"
    rs_psql -c "ALTER DATABASE $SCRATCH SET client_connection_check_interval = '1s'" || : # PostgreSQL 13 has it not
    bk_load "$DIRECTORY/$FILE" "$SCRATCH" -j "$JOBS" "$@" ||
        bk_fail "it cannot be restored there: $(bk_said)"
    bk_say count "the rows of every table"
    { echo 'SET statement_timeout = 0;' && bk_count_rows; } >"$work/script"
    bk_guarded "$work/counted" psql -wqAtX -v ON_ERROR_STOP=1 -d "$SCRATCH" -f "$work/script" ||
        bk_fail "the restored rows cannot be counted: $(bk_said)"
    bk_rows_to_compare "$FILE" || bk_fail "the restored rows cannot be kept in $work: is there room?"
    if [ -s "$work/rows" ]; then bk_compare; else echo "no rows were recorded with this backup; there is nothing to compare"; fi
    counts=$(awk -F '|' '{ rows += $NF } END { print NR + 0 " tables, " rows + 0 " rows" }' "$work/again")
    rs_switch
}

# The statements by which the dump makes its database and sets it up -> $locale, and $work/settings for TARGET's name.
rs_settings() { # OPTION...
    pg_restore -l -C "$archive" >"$work/toc" 2>"$work/said" || bk_fail "$FILE cannot be read: $(bk_said)"
    grep -E '^[0-9]+; [0-9]+ [0-9]+ (DATABASE|DATABASE PROPERTIES|(ACL|COMMENT|SECURITY LABEL) - DATABASE) ' "$work/toc" >"$work/list"
    pg_restore -C -L "$work/list" "$@" -f "$work/create" "$archive" || bk_fail "$FILE cannot be read"
    locale=$(sed -n 's/^CREATE DATABASE .* WITH TEMPLATE = template0 \(.*\);$/\1/p' "$work/create" | sed -n 1p)
    name=$(sed -n 's/^CREATE DATABASE \(.*\) WITH TEMPLATE = template0 .*/\1/p' "$work/create" | sed -n 1p)
    [ -n "$locale" ] && [ -n "$name" ] || bk_fail "$FILE does not say how its database is made"
    RS_NAME=$name RS_QUOTED=$quoted awk '
        /^CREATE DATABASE / || /^\\connect / { next }
        /^ALTER (DATABASE|ROLE) / || /^COMMENT ON DATABASE / || /^(GRANT|REVOKE) / || /^SECURITY LABEL / {
            was = "DATABASE " ENVIRON["RS_NAME"] " "
            at = index($0, was)
            if (at) $0 = substr($0, 1, at - 1) "DATABASE " ENVIRON["RS_QUOTED"] " " substr($0, at + length(was))
        }
        { print }' "$work/create" >"$work/settings"
}

rs_no_settings() { # a plain dump says all but how its database is made
    [ "$OWNERS" = yes ] || bk_fail "$FILE is a plain dump, whose owners and rights psql cannot leave out; restore it with owners"
    echo "a plain dump: the database gets the encoding UTF8, and its owner, rights and settings are those of a new one"
    locale="ENCODING = 'UTF8'"
    : >"$work/settings"
}

# One transaction gives the databases their names, and TARGET its owner, rights and settings.
rs_switch() {
    [ "$there" = f ] || before=$before_name
    {
        echo "COMMENT ON DATABASE $SCRATCH IS NULL;"
        echo "ALTER DATABASE $SCRATCH RESET ALL;"
        [ -z "$before" ] || echo "ALTER DATABASE :\"target\" RENAME TO :\"before\";"
        echo "ALTER DATABASE $SCRATCH RENAME TO :\"target\";"
        cat "$work/settings"
    } >"$work/switch"
    tries=0
    until rs_end_sessions && rs_psql -1 -v before="$before" -f "$work/switch" >/dev/null; do
        why=$(bk_said) tries=$((tries + 1))
        [ "$END_SESSIONS" = no ] || [ "$tries" -ge 5 ] || continue
        to_drop='' # it took long: it is kept for a person
        rs_psql -c "COMMENT ON DATABASE $SCRATCH IS NULL" || :
        bk_fail "it is restored, whole, as the database $SCRATCH, and cannot be given the name $TARGET: $why"
    done
    to_drop=''
    [ -z "$before" ] || echo "what was there before is kept as the database $before; drop it when it is not needed"
}

rs_end_sessions() {
    if [ -z "$before" ] || [ "$END_SESSIONS" = no ]; then return 0; fi
    echo "SELECT count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity WHERE datname = :'target'" >"$work/script"
    rs_psql -f "$work/script" >/dev/null
}

# --- files, and what a command wrote: into a directory ---------------------------------------------------------------

rs_files_need() {
    bk_need tar
    rs_directory_need
}

rs_command_need() { rs_directory_need; }

rs_directory_need() {
    bk_home "$TARGET"
    TARGET=$(printf '%s\n' "$path" | sed 's,//*$,,')
    [ -n "$TARGET" ] || bk_fail "a restore to / is not made; restore to another directory and copy from there"
    parent=${TARGET%/*}
    parent=${parent:-/}
    [ -d "$parent" ] || bk_fail "the directory $parent is not there"
    real=$(cd "$TARGET" 2>/dev/null && pwd -P) || real=$TARGET
    case $DIRECTORY/:$(pwd -P)/ in
    "$TARGET"/* | *:"${real%/}"/*)
        bk_fail "the backups in $DIRECTORY would be put aside with $TARGET; restore to another directory" ;;
    esac
    if rs_there && ! rs_empty; then
        [ "$REPLACE" = yes ] ||
            bk_fail "$TARGET exists, and its replacement was not approved (--replace, or a yes to the flow's question; it \
would be kept as $TARGET.before-$stamp)"
        case $HOME/ in "$TARGET"/* | "${real%/}"/*)
            bk_fail "the home directory of this job's user, and its jobs, would be put aside with $TARGET; restore to another \
directory, and move from there what is needed" ;;
        esac
    fi
    for dead in "$TARGET".rj_restoring_??????; do
        ! bk_is_dead "$dead" || rm -rf "$dead"
    done
    watched=$parent free=$(bk_free "$parent")
    rs_enough "$(($(bk_size "$FILE") / 1024))"
}

rs_there() { [ -e "$TARGET" ] || [ -h "$TARGET" ]; }

rs_empty() { # an empty directory; not one that cannot be read, nor a link to one
    [ -d "$TARGET" ] && [ ! -h "$TARGET" ] && inside=$(ls -A "$TARGET") && [ -z "$inside" ]
}

rs_files() {
    rs_beside
    set -- -xpvf "$DIRECTORY/$FILE" -C "$into"
    case $FILE in *gz) set -- -z "$@" ;; esac
    case $(tar --version 2>/dev/null) in
    *'GNU tar'*) set -- --acls --xattrs --xattrs-include='*' --numeric-owner "$@" ;;
    esac
    LC_ALL=C bk_guarded "$work/names" tar "$@" || bk_fail "tar could not restore it: $(bk_said)"
    entries=$(($(wc -l <"$work/names")))
    said=$(bk_recorded entries "$FILE")
    [ -z "$said" ] || [ "$entries" -eq "$said" ] || bk_fail "$entries entries were restored, and $said were saved"
    counts="$entries entries"
    rs_put
}

rs_command() {
    rs_beside
    bk_guarded /dev/null cp "$DIRECTORY/$FILE" "$into/$FILE" || bk_fail "it cannot be copied: $(bk_said)"
    found=$($sha256 <"$into/$FILE") || bk_fail "$into/$FILE cannot be read"
    [ "${found%% *}" = "$SHA256" ] || bk_fail "the copy has the sha256 ${found%% *}, and $SHA256 was recorded"
    counts="1 file, as it was written"
    rs_put
}

rs_beside() { # -> $into, in a directory that names the job that made it
    new=$(mktemp -d "$TARGET.rj_restoring_XXXXXX") || bk_fail "nothing can be made in $parent"
    into=$new/${new##*/}
    { bk_self >"$new/run" && mkdir "$into"; } || bk_fail "nothing can be written to $new"
}

rs_put() { # under its name. What is there may have changed since the restore began
    bk_sync "$into"
    if rs_there && ! { rs_empty && rmdir "$TARGET" 2>/dev/null; }; then
        [ "$REPLACE" = yes ] || bk_fail "$TARGET is there by now, and its replacement was not approved"
        while [ -e "$TARGET.before-$stamp" ] || [ -h "$TARGET.before-$stamp" ]; do # mv would put it into that
            sleep 1
            stamp=$(date -u +%Y%m%dT%H%M%SZ)
        done
        rs_like_before
        before=$TARGET.before-$stamp
        mv "$TARGET" "$before" || bk_fail "$TARGET cannot be renamed; is something mounted there?"
    fi
    mv "$into" "$TARGET" || bk_fail "$into cannot be given the name $TARGET"
    if [ -e "$TARGET/${new##*/}" ]; then # a directory came between, and mv put it into that
        mv "$TARGET/${new##*/}" "$into"
        bk_fail "$TARGET was made by another program meanwhile"
    fi
    [ -z "$before" ] || echo "what was there before is kept as $before; remove it when it is not needed"
}

rs_like_before() { # users who could read what is there can read what replaces it
    [ -d "$TARGET" ] || return 0
    owned=$(stat -L -c '%u:%g %a' "$TARGET") && chown "${owned% *}" "$into" && chmod "${owned#* }" "$into" ||
        echo "$TARGET gets the mode 0700 and the owner of this job: those of what was there cannot be set"
}

rs_put_back() { # what was put aside, where nothing got its name
    if [ "$KIND" = postgres ] || [ "$KIND" = mariadb ] || [ -z "$before" ] || rs_there; then return 0; fi
    [ -e "$before" ] || [ -h "$before" ] || return 0
    trap '' HUP INT TERM
    mv "$before" "$TARGET" || echo "what was at $TARGET is $before now" >&2
}
