# shellcheck shell=sh disable=SC2034,SC2154
# Items of the kind files: BASE OPTION... PATH.... Sent behind backup.sh.
#
# Settings: ON_CHANGE (warn, ignore, fail) KEEP_INCOMPLETE (yes, no) ATTRIBUTES (yes, no)

bk_files_need() {
    bk_need tar mktemp
    bk_version tar "$(tar --version 2>/dev/null | sed -n 1p)"
    gnu='' # the only one whose exit code distinguishes files that changed (1) from unreadable ones (2)
    case $(tar --version 2>/dev/null) in *'GNU tar'*) gnu=yes ;; esac
}

bk_files_dump() {
    bk_home "$1"
    base=$path
    shift
    bk_files_options
    case $gnu$EXTENSION in
    *gz) options="$options -z" ;;
    yes*) options="$options -b 128" ;; # larger writes. With gzip its end would lie behind what tar reads of it
    esac
    ran="tar -c $options -C $base $*"
    # shellcheck disable=SC2086 # a list of words; the pattern in it is tar's, and there is no file --xattrs-include=...
    LC_ALL=C tar -c $options -f "$part" -C "$base" "$@" 2>"$work/said"
    code=$?
    cat "$work/said" >&2
    # What is said of a file; not what tar says of itself.
    grep -v -e ': Removing leading' -e ': socket ignored$' -e ': Exiting with failure status' "$work/said" |
        tr -d '\000-\010\013-\037\177' >"$work/names"
    case $gnu$code in
    0 | yes0) ;;
    yes1) bk_files_changed ;;
    *) bk_files_unread ;;
    esac
}

bk_files_options() { # -> $options
    options=''
    if [ -n "$gnu" ]; then
        options=--sparse # a hole is a hole again
        [ "$ATTRIBUTES" = no ] || options="$options --acls --xattrs --xattrs-include=* --pax-option=delete=atime,delete=ctime"
    elif [ "$ATTRIBUTES" = yes ]; then
        bk_warn "this host's tar is not GNU tar: ACLs, extended attributes and file capabilities are not saved \
(install it, or say attributes: false)"
    fi
}

bk_named() { # the first lines of what tar said, in one, and how many more there are
    all=$(($(wc -l <"$work/names")))
    head -n 10 "$work/names" | sed 's/^[^ ]*tar: //' | awk '{ printf "%s%s", (NR > 1 ? "; " : ""), $0 }'
    [ "$all" -le 10 ] || printf '; and %s more' "$((all - 10))"
}

bk_files_changed() {
    case $ON_CHANGE in
    fail) bk_fail "tar ended with 1: $(bk_named)" ;;
    warn)
        changed=$(cat "$work/names")
        bk_warn "$(bk_named)"
        ;;
    esac
}

bk_files_unread() {
    why="tar ended with $code: $(bk_named)"
    [ "$KEEP_INCOMPLETE" = yes ] || bk_fail "$why"
    # What cannot be written is no matter of what could be read.
    ! grep -q -e 'not recoverable' -e 'Cannot write' -e 'Child ' "$work/said" || bk_fail "$why"
    incomplete=$why
}

bk_files_read() {
    case $EXTENSION in
    *gz) tar -tzf - ;;
    *) tar -tf - ;;
    esac >"$work/list"
}

bk_files_check() {
    bk_read_by bk_files_read || bk_fail "tar cannot read it"
    [ -z "$incomplete" ] || [ -s "$work/list" ] || bk_fail "$incomplete; nothing could be read"
    entries=$(($(wc -l <"$work/list")))
    bk_check_passed "tar -t: $entries entries"
}
