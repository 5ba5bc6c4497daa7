# shellcheck shell=sh disable=SC2034,SC2154
# How a backup is read for its checks: no pass over the disk for each of them. One whose last was large is read while it is
# written, from memory, by another processor. Sent behind backup.sh.

bk_meanwhile() { # begins to read what the dump is about to write, by those readers that take it as it is written
    least=16384 # KiB: a small one is read faster than processes are started
    case $EXTENSION in *gz) least=1024 ;; esac # it may hold a hundred times as much
    [ "${again:-0}" -ge "$least" ] || return 0
    rm -f "$work/written"
    case $KIND:$EXTENSION in
    postgres:dump) bk_reader read bk_postgres_read ;; # pg_dump writes its beginning anew at the end: no checksum yet
    files:tar) bk_reader sum bk_sum ;;                # tar lists it at once afterwards, passing over what is in the files
    files:*)
        bk_reader read bk_files_read
        bk_reader sum bk_sum
        ;;
    esac
    [ "$KIND" = files ] || return 0 # a dump is written more slowly than any disk writes
    bk_flush </dev/null >/dev/null 2>&1 &
    flushing=$!
}

bk_reader() { # NAME COMMAND...: leaves its exit code in $work/NAME.code
    reader=$1
    shift
    {
        { bk_growing || : >"$work/torn"; } | "$@"
        echo "$?" >"$work/$reader.code"
    } 2>"$work/$reader.said" </dev/null &
    eval "reading_$reader=$!"
}

bk_flush() { # to the disk while it is written, so that there is little to wait for at the end
    beats=0
    while [ -d "$work" ] && [ ! -e "$work/written" ]; do
        sleep 0.2 || sleep 1
        beats=$((beats + 1))
        [ "$((beats % 10))" -ne 0 ] || sync -d "$part" || return
    done
    [ ! -e "$work/written" ] || sync "$part"
}

bk_growing() { # what there is of $part, and what comes, until $work/written is there
    blocks=0
    while [ -d "$work" ]; do
        if [ -e "$work/written" ]; then
            dd if="$part" bs=65536 skip="$blocks" 2>/dev/null
            return
        fi
        # shellcheck disable=SC2012,SC2046 # no name has a space in it, and not every host has stat
        set -- $(ls -ln "$part")
        more=$(($5 / 65536 - blocks))
        if [ "$more" -lt 64 ]; then
            sleep 0.2 2>/dev/null || sleep 1
        else
            dd if="$part" bs=65536 skip="$blocks" count="$more" 2>/dev/null || return
            blocks=$((blocks + more))
        fi
    done
}

bk_written() { # all of it is there
    : >"$work/written" || bk_fail "nothing can be written in $work: is there room?"
}

bk_read_to_end() { # PID, or '': of a reader
    [ -z "$1" ] || wait "$1"
    [ ! -e "$work/torn" ] || bk_fail "it cannot be read"
}

bk_read_by() { # COMMAND...: with all of the backup on its stdin, if that was not done while it was written. Its exit code
    bk_read_to_end "${reading_read:-}"
    [ -s "$work/read.code" ] || "$@" <"$part" || return
    [ ! -s "$work/read.said" ] || cat "$work/read.said" >&2
    [ ! -s "$work/read.code" ] || return "$(cat "$work/read.code")"
}

bk_sum() { $sha256 >"$work/sum"; }

bk_sum_begin() { # beside the checks: what they read is in memory
    [ -n "${reading_sum:-}" ] || {
        $sha256 <"$part" >"$work/sum" &
        summing=$!
    }
}

bk_sum_ended() { # -> $sum
    code=0
    bk_read_to_end "${reading_sum:-}"
    reading_read='' reading_sum=''
    if [ -n "$summing" ]; then wait "$summing" || code=$?; else code=$(cat "$work/sum.code"); fi
    summing=''
    [ "$code" -eq 0 ] || bk_fail "$sha256 ended with $code"
    read -r sum _ <"$work/sum" || bk_fail "the checksum cannot be kept in $work: is there room?"
    [ "${#sum}" -eq 64 ] || bk_fail "$sha256 gave no checksum: $(bk_line "$sum")"
}
