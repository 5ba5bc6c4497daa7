# shellcheck shell=sh disable=SC2034,SC2154,SC3045
# Where backups lie: the directory, whose it is, and how much may be written there. Sent behind backup.sh.

bk_home() { # PATH -> $path, absolute: `~`, and what is relative, begin at the home directory
    # shellcheck disable=SC2088 # the letter ~ is meant
    case $1 in
    /*) path=$1 ;;
    '~') path=$HOME ;;
    '~/'*) path=$HOME/${1#'~/'} ;;
    *) path=$HOME/$1 ;;
    esac
}

bk_place() {
    bk_mounted
    bk_home "$DIRECTORY"
    DIRECTORY=$path
    if [ "$MUST_EXIST" = yes ] && [ ! -d "$DIRECTORY" ]; then
        bk_fail "the directory $DIRECTORY is not there, and must_exist says that it is: mount what holds it, or make it"
    fi
    { mkdir -p "$DIRECTORY" && cd "$DIRECTORY"; } || bk_fail "the directory $DIRECTORY cannot be used"
    bk_owner
}

bk_mounted() { # on the disk below a mount that is not there, backups would fill the wrong disk
    [ -n "$MUST_BE_MOUNT" ] || return 0
    bk_home "$MUST_BE_MOUNT"
    real=$(cd "$path" && pwd -P) || bk_fail "$path is not there, and must_be_mount names it: mount it"
    on=$(df -Pk "$real" | sed -n '2s/.*[0-9]%  *//p')
    [ "$on" = "$real" ] || bk_fail "nothing is mounted at $path, which must_be_mount names (it is a directory of $on): mount it"
}

bk_owner() { # whose are the backups of this item here?
    owner=''
    [ ! -e ".$ITEM.plan" ] || IFS= read -r owner <".$ITEM.plan" || :
    [ -z "$owner" ] || [ "$owner" = "$PLAN" ] || bk_fail "the backups of $ITEM in $DIRECTORY are those of another plan \
($owner); this one is $PLAN. Give one of the two another directory, or its item another name. \
If it is the same plan, changed: remove $DIRECTORY/.$ITEM.plan, and give the plan a name, which stays"
}

bk_claim() { [ -n "$owner" ] || printf '%s\n' "$PLAN" >".$ITEM.plan" || bk_fail "$DIRECTORY/.$ITEM.plan cannot be written"; }

# Room for the least that was asked for. Where there is none for a quarter more than the last backup took, what was
# backed up may be smaller by now: it may fill all but that least, and not the disk.
bk_room() {
    free=$(bk_free .)
    free=${free:-0}
    [ "$free" -ge "$MIN_FREE_KIB" ] || bk_fail "$DIRECTORY has $free KiB free, $MIN_FREE_KIB KiB are needed"
    previous=$(bk_good | sed -n '1s/ .*//p')
    [ -n "$previous" ] || return 0
    again=$(($(bk_size "$ITEM-$previous.$EXTENSION") * 5 / 4 / 1024))
    [ "${FORMAT:-}" != directory ] || again=$((again * 2)) # until it is packed, it is there twice
    [ "$again" -gt "$free" ] || return 0
    most=$((free - MIN_FREE_KIB))
    [ "${FORMAT:-}" != directory ] || most=0 # nothing limits the sum of many files
    [ "$most" -gt 0 ] || bk_fail "$DIRECTORY has $free KiB free, $again KiB are needed: a quarter more than last time"
    echo "$DIRECTORY has $free KiB free, and the last backup took $((again * 4 / 5)): at most $most KiB are written"
}

bk_bound() { # nothing that is written from here on gets larger; ulimit counts in 512 bytes
    [ -z "$most" ] || ulimit -S -f "$((most * 2))" || bk_fail "this shell cannot limit what is written"
}

bk_unbound() { [ -z "${most:-}" ] || ulimit -S -f "$(ulimit -H -f)"; }
