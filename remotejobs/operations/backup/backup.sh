# shellcheck shell=sh
# Makes one backup on this host and believes in it only after it was checked. Python puts the settings above this text
# and one call of bk_main below it, so the whole can be run again by hand. It needs a POSIX shell, df, awk, find, sed,
# sort, sync, wc, sha256sum or shasum, and the programs of its kind.
#
# Settings: ITEM KIND EXTENSION DIRECTORY MIN_BYTES MIN_FREE_KIB RETENTION (apply, dry_run, off) LAST DAILY WEEKLY
#           MONTHLY RESTORE_TEST (yes, no) SCRATCH (name of the database for it)
#
# Files in DIRECTORY, where FILE is ITEM-STAMP.EXTENSION:
#   FILE.part      being made and checked; removed when anything fails
#   FILE.sha256    its checksum, on disk before FILE has its name
#   FILE           a backup that passed every check
#   FILE.restored  it was also restored, and every table had its rows

bk_main() {
    umask 077
    began=$(date +%s) stamp=$(date -u +%Y%m%dT%H%M%SZ)
    file=$ITEM-$stamp.$EXTENSION
    part=$file.part step=preflight made='' work='' to_drop='' kept=0 removed=0
    trap bk_leave EXIT
    trap 'exit 143' HUP INT TERM
    bk_preflight
    bk_say dump "$KIND $ITEM to $DIRECTORY/$file"
    "bk_${KIND}_dump" "$@"
    bytes=$(bk_size "$part")
    [ "$bytes" -ge "$MIN_BYTES" ] || bk_fail "it has only $bytes bytes, fewer than the $MIN_BYTES expected"
    bk_say check "$bytes bytes"
    "bk_${KIND}_check" "$@"
    [ "$RESTORE_TEST" = no ] || bk_restore_test
    bk_publish
    bk_retain
    bk_report
}

bk_say() { # STEP WHAT: a line for whoever follows the job
    step=$1
    printf '%s: %s\n' "$1" "$2"
}

bk_fail() { # REASON
    printf 'backup of %s failed at step %s: %s\n' "$ITEM" "$step" "$1" >&2
    exit 1
}

bk_leave() { # however it ends: no half backup and no scratch database stay behind
    left=$?
    trap - EXIT
    [ -z "$to_drop" ] || dropdb -w --if-exists "$SCRATCH" || echo "the database $SCRATCH could not be dropped" >&2
    [ -z "$work" ] || rm -rf "$work"
    if [ -n "$made" ]; then
        rm -f "$part" "$file.sha256.part"
        [ -e "$file" ] || rm -f "$file.sha256"
    fi
    exit "$left"
}

bk_size() { echo "$(($(wc -c <"$1")))"; }

bk_sync() { sync "$@" 2>/dev/null || sync; }

bk_need() { # PROGRAM...
    for program in "$@"; do
        command -v "$program" >/dev/null || bk_fail "$program is not installed on this host"
    done
}

# --- before ----------------------------------------------------------------------------------------------------------

bk_preflight() {
    # shellcheck disable=SC2088 # the letter ~ is meant
    case $DIRECTORY in
    /*) ;;
    '~/'*) DIRECTORY=$HOME/${DIRECTORY#'~/'} ;;
    *) DIRECTORY=$HOME/$DIRECTORY ;;
    esac
    { mkdir -p "$DIRECTORY" && cd "$DIRECTORY"; } || bk_fail "the directory $DIRECTORY cannot be used"
    if command -v sha256sum >/dev/null; then sha256='sha256sum'; else bk_need shasum && sha256='shasum -a 256'; fi
    "bk_${KIND}_need"
    bk_room
    [ ! -e "$file" ] || bk_fail "$DIRECTORY/$file is there already; it was made within this very second"
    (set -C && : >"$part") || bk_fail "$DIRECTORY/$part cannot be made"
    made=1
}

bk_room() { # room for the least that was asked for, and for a quarter more than the last backup took
    need=$MIN_FREE_KIB
    previous=$(bk_good | sed -n '1s/ .*//p')
    if [ -n "$previous" ]; then
        again=$(($(bk_size "$ITEM-$previous.$EXTENSION") * 5 / 4 / 1024))
        [ "$again" -le "$need" ] || need=$again
    fi
    free=$(df -Pk . | sed -n '2s/.* \([0-9][0-9]*\)  *[0-9][0-9]*% .*/\1/p')
    [ "${free:-0}" -ge "$need" ] || bk_fail "$DIRECTORY has ${free:-0} KiB free, $need KiB are needed"
}

# --- postgres: libpq's variables (PGHOST, PGDATABASE, ...) say which -------------------------------------------------

bk_postgres_need() {
    bk_need pg_dump pg_restore
    [ "$RESTORE_TEST" = no ] || bk_need psql createdb dropdb mktemp
}

bk_postgres_dump() {
    if [ "$RESTORE_TEST" = yes ]; then
        bk_dump_and_count
    else
        pg_dump -w -Fc -f "$part" || bk_fail "pg_dump ended with $?"
    fi
}

# The rows are counted in the very snapshot that pg_dump reads: psql holds it open and runs pg_dump meanwhile.
bk_dump_and_count() {
    work=$(mktemp -d) || bk_fail "no temporary directory"
    BACKUP_WORK=$work BACKUP_PART=$part
    export BACKUP_WORK BACKUP_PART
    {
        echo 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;'
        echo 'SELECT pg_export_snapshot() AS snapshot \gset'
        echo '\setenv BACKUP_SNAPSHOT :snapshot'
        bk_count_rows
        # shellcheck disable=SC2016 # for the shell that psql starts
        echo '\! pg_dump -w -Fc -f "$BACKUP_PART" --snapshot="$BACKUP_SNAPSHOT" && : >"$BACKUP_WORK/dumped"'
    } >"$work/script"
    psql -wqAtX -v ON_ERROR_STOP=1 -o "$work/rows" -f "$work/script" || bk_fail "psql ended with $?"
    [ -e "$work/dumped" ] || bk_fail "pg_dump failed"
}

# psql's text: one line `schema.table|rows` for each table that a dump holds. What belongs to an extension is not in it.
bk_count_rows() {
    cat <<'SQL'
SELECT format('SELECT %L, count(*) FROM ONLY %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C" \gexec
SQL
}

bk_postgres_check() {
    pg_restore --list "$part" >/dev/null || bk_fail "pg_restore cannot read its table of contents"
    # The list says nothing of the data; reading all of it does.
    pg_restore -f /dev/null "$part" || bk_fail "pg_restore cannot read its data"
}

bk_restore_test() {
    bk_say restore "into the scratch database $SCRATCH"
    psql -wqAtX -F ' ' -o "$work/locale" -c "SELECT pg_encoding_to_char(encoding), datcollate, datctype
        FROM pg_catalog.pg_database WHERE datname = current_database()" || bk_fail "psql ended with $?"
    read -r encoding collate ctype <"$work/locale"
    dropdb -w --if-exists "$SCRATCH" 2>"$work/said" || bk_fail "$(cat "$work/said")"
    to_drop=1
    createdb -w -T template0 -E "$encoding" --lc-collate="$collate" --lc-ctype="$ctype" "$SCRATCH" ||
        bk_fail "createdb ended with $?; does the user have CREATEDB?"
    pg_restore -w --exit-on-error --no-owner --no-privileges --no-tablespaces --no-publications --no-subscriptions \
        -d "$SCRATCH" "$part" || bk_fail "pg_restore ended with $?"
    bk_count_rows >"$work/script"
    psql -wqAtX -v ON_ERROR_STOP=1 -d "$SCRATCH" -o "$work/again" -f "$work/script" || bk_fail "psql ended with $?"
    bk_compare
    { dropdb -w "$SCRATCH" && to_drop=''; } || bk_fail "dropdb ended with $?"
}

bk_compare() { # the rows of every table, dumped and restored
    cmp -s "$work/rows" "$work/again" && return
    different=$(awk 'NR == FNR { rows[$0] = 1; next } !($0 in rows)' "$work/again" "$work/rows" | tr '\n' ' ')
    missing=$(awk 'NR == FNR { rows[$0] = 1; next } !($0 in rows)' "$work/rows" "$work/again" | tr '\n' ' ')
    bk_fail "the rows differ: dumped ${different:-nothing more}, restored ${missing:-nothing more}"
}

# --- files: [-z] BASE [--exclude=PATTERN ...] PATH... ----------------------------------------------------------------

bk_files_need() { bk_need tar; }

bk_files_dump() {
    base=$1
    shift
    case $base in /*) ;; *) base=$HOME/$base ;; esac
    case $EXTENSION in
    *gz) tar -czf "$part" -C "$base" "$@" ;;
    *) tar -cf "$part" -C "$base" "$@" ;;
    esac || bk_fail "tar ended with $?"
}

bk_files_check() {
    case $EXTENSION in
    *gz) tar -tzf "$part" ;;
    *) tar -tf "$part" ;;
    esac >/dev/null || bk_fail "tar cannot read it"
}

# --- command: COMMAND [CHECK] ----------------------------------------------------------------------------------------

# A shell in which a failing part of a pipe fails the whole -> $pipesh. Where there is none, pipes are refused.
bk_command_need() {
    pipesh=sh options=-e
    for shell in sh bash mksh ksh zsh 'busybox sh' yash; do
        # shellcheck disable=SC2086 # a program and its first word
        if command -v ${shell%% *} >/dev/null && $shell -c 'set -o pipefail' 2>/dev/null; then
            pipesh=$shell options='-eo pipefail'
            return
        fi
    done
}

bk_piped() { # COMMAND
    case $options:$1 in -e:*'|'*) bk_fail "no shell on this host sees failures inside a pipe; install bash" ;; esac
    # shellcheck disable=SC2086 # both are words
    $pipesh $options -c "$1"
}

bk_command_dump() { bk_piped "$1" >"$part" || bk_fail "the command ended with $?"; }

bk_command_check() { [ -z "$2" ] || bk_piped "$2" <"$part" >/dev/null || bk_fail "the check ended with $?"; }

# --- after -----------------------------------------------------------------------------------------------------------

bk_publish() {
    bk_say checksum "$sha256"
    sum=$($sha256 <"$part") || bk_fail "$sha256 ended with $?"
    sum=${sum%% *}
    printf '%s  %s\n' "$sum" "$file" >"$file.sha256.part" || bk_fail "the checksum cannot be written"
    bk_sync "$part" "$file.sha256.part"
    { mv "$file.sha256.part" "$file.sha256" && mv "$part" "$file"; } || bk_fail "it cannot be renamed"
    [ "$RESTORE_TEST" = no ] || : >"$file.restored"
    bk_sync .
}

bk_good() { # one line `STAMP TESTED` for each good backup of this item, the newest first
    for good in "$ITEM"-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z."$EXTENSION"; do
        if [ ! -f "$good" ] || [ ! -f "$good.sha256" ]; then continue; fi
        tested=0
        [ ! -f "$good.restored" ] || tested=1
        good=${good%."$EXTENSION"}
        echo "${good##*-} $tested"
    done | sort -r
}

# LAST DAILY WEEKLY MONTHLY, and bk_good's lines on stdin -> the stamps that may go. The LAST newest stay, and the newest
# of each of the last DAILY days that have a backup, likewise of weeks (from Monday) and months; the newest that was
# restored stays in any case. All in UTC.
bk_prunable() {
    awk -v last="$1" -v daily="$2" -v weekly="$3" -v monthly="$4" '
        function number(stamp,    y, m, d) { # of the day, from a Wednesday on
            y = substr(stamp, 1, 4) + 0; m = substr(stamp, 5, 2) + 0; d = substr(stamp, 7, 2) + 0
            if (m <= 2) { y--; m += 12 }
            return 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * (m - 3) + 2) / 5) + d - 1
        }
        function first(period, limit) { # is this the newest of one of the last periods?
            if (period in seen) return 0
            seen[period] = 1
            return ++count[substr(period, 1, 1)] <= limit
        }
        {
            day = number($1)
            stays = NR <= last
            if (first("d" day, daily)) stays = 1
            if (first("w" int((day + 2) / 7), weekly)) stays = 1
            if (first("m" substr($1, 1, 6), monthly)) stays = 1
            if ($2 == 1 && !tested++) stays = 1
            if (!stays) print $1
        }'
}

bk_retain() {
    bk_say retention "$RETENTION"
    [ "$RETENTION" = off ] || bk_prune
    kept=$(($(bk_good | wc -l)))
    for stale in "$ITEM"-[0-9]*Z."$EXTENSION".part; do # of a backup that was cut off more than a day ago
        [ -z "$(find "$stale" -prune -mtime +0 2>/dev/null)" ] || rm -f "$stale"
    done
}

bk_prune() {
    for old in $(bk_good | bk_prunable "$LAST" "$DAILY" "$WEEKLY" "$MONTHLY"); do
        [ "$old" != "$stamp" ] || continue # a clock that was wrong once must not cost the backup just made
        old=$ITEM-$old.$EXTENSION
        removed=$((removed + 1))
        if [ "$RETENTION" = dry_run ]; then
            echo "would remove $old"
        else
            echo "removing $old"
            rm -f "$old" "$old.restored" "$old.sha256" || bk_fail "$old cannot be removed"
        fi
    done
}

bk_report() { # read by Python
    step=report
    printf '%s\n' "remotejobs-backup 1" "path=$DIRECTORY/$file" "bytes=$bytes" "sha256=$sum" \
        "seconds=$(($(date +%s) - began))" "restore_tested=$RESTORE_TEST" "kept=$kept" "removed=$removed" \
        "retention=$RETENTION" end
}
