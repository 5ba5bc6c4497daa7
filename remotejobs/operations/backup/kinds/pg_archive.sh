# shellcheck shell=sh disable=SC2034,SC2154
# A dump of PostgreSQL that is there is read and loaded by the format that its name says, and the rows of a database are
# counted. Sent behind backup.sh.

bk_ended() { # FILE: was it written to its end? Not all psqls see a full disk. The line that shows it is taken away
    [ "$(tail -n 1 "$1")" = end ] && sed '$d' "$1" >"$1.whole" && mv "$1.whole" "$1"
}

# psql's text, of what bk_ended reads: one line `schema.table|rows` for each table that a dump holds. What belongs to an extension is not in it.
bk_count_rows() {
    cat <<'SQL'
SELECT format('SELECT %L, count(*) FROM ONLY %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C" \gexec
\qecho end
SQL
}

bk_plain_whole() { # FILE, or -> $why. One that is cut loads without an error
    why='gzip cannot read it'
    gzip -t "$1" 2>"$work/said" || return
    why='its end is missing'
    gzip -dc "$1" | tail -n 20 | grep -q '^-- PostgreSQL database dump complete' && why=''
}

# FILE -> $archive for pg_restore; empty for a plain one. One that is packed is unpacked in DIRECTORY, until bk_scratch_away
bk_archive_of() {
    archive=$1
    case $1 in
    *.sql.gz) archive='' ;;
    *.dump.tar)
        for stale in "$DIRECTORY"/.unpacked.*; do # of a job that had no time to remove it
            [ -z "$(find "$stale" -prune -mtime +0 2>/dev/null)" ] || rm -rf "$stale"
        done
        # shellcheck disable=SC2017 # in this order, as mksh counts in 32 bits
        [ "$(bk_free "$DIRECTORY")" -ge "$(($(bk_size "$1") / 1024 * 5 / 4))" ] ||
            { echo "there is no room to unpack it in $DIRECTORY" >"$work/said" && return 1; }
        unpacked=$(mktemp -d "$DIRECTORY/.unpacked.XXXXXX") && archive=$unpacked && tar -xf "$1" -C "$unpacked" 2>"$work/said"
        ;;
    esac
}

bk_load() { # FILE DATABASE ('' for PGDATABASE) OPTION...: what bk_archive_of was asked for, at the server of the test
    loaded=$1 into_database=$2
    shift 2
    if [ -n "$archive" ]; then
        [ -z "$into_database" ] || set -- "$@" -d "$into_database"
        bk_guarded /dev/null pg_restore -w --exit-on-error "$@" "$archive"
    else
        # shellcheck disable=SC2016 # for the shell that is started
        bk_guarded /dev/null sh -c 'gzip -dc "$1" | psql -wqX ${2:+-d "$2"} -1 -v ON_ERROR_STOP=1' \
            sh "$loaded" "$into_database"
    fi
}
