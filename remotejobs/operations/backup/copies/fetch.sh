# shellcheck shell=sh disable=SC2034,SC2154
# A copy is fetched by a command of this host, to be restored: the names of what is there, the record of one, and the copy
# itself, which has to be what its record says. Sent behind decrypt.sh.
#
# Settings: BACKUP_HOST (that was backed up) SENT_FROM (the directory of its backups) NAMES FETCH (commands), and of a copy
#           DIRECTORY (of this restore alone) FILE SHA256 (as it arrives; '' where that is not known) RESERVE_KIB

ft_named() { # NAME: for the commands, as it was when the copy was sent
    BACKUP_NAME=$1 BACKUP_FILE=$SENT_FROM/$1
    case $1 in *.age | *.gpg | _record-*) BACKUP_FILE=$SENT_FROM/.outgoing/$1 ;; esac
    export BACKUP_HOST BACKUP_FILE BACKUP_NAME
}

ft_names() { # answers with all that the command prints, or `error REASON`
    what=fetch step=names ITEM=names
    work=$(mktemp -d) || return
    bk_command_need
    ft_named ''
    code=0
    (bk_piped "$NAMES") </dev/null >"$work/names" 2>"$work/said" || code=$?
    if [ "$code" -eq 0 ]; then cat "$work/names"; else echo "error the command for names ended with $code: $(bk_said)"; fi
    rm -rf "$work"
}

ft_record() { # NAME ENCRYPTED (age, gpg or ''): answers with the record, opened, or `none REASON` or `error REASON`
    umask 077
    what=fetch step=record ITEM=$1 FILE=record PLAIN=opened keys='' code=0
    work=$(mktemp -d) && cd "$work" || return
    trap dc_leave EXIT
    if [ -n "$IDENTITY" ]; then
        [ -r "$IDENTITY" ] || { echo "error the identity is not there" && return; }
        exec 3<"$IDENTITY"
        rm -f "$IDENTITY"
    fi
    bk_command_need
    ft_named "_record-$1"
    (bk_piped "$FETCH") </dev/null >record.part 2>said || code=$?
    if [ "$code" -ne 0 ] || [ ! -s record.part ]; then
        echo "none the command for _record-$1 ended with $code: $(bk_said)"
    elif [ -z "$2" ] || [ "$(head -c 1 record.part | tr -d '\000')" = '{' ]; then
        cat record.part
    elif "dc_$2" 2>said; then
        cat opened.part
    else
        echo "error the record of $1 cannot be decrypted: $(bk_said)"
    fi
}

ft_main() {
    umask 077
    what=fetch step=preflight ITEM=$FILE work=''
    trap ft_leave EXIT
    trap 'exit 143' HUP INT TERM
    work=$(mktemp -d) || bk_fail "no temporary directory"
    bk_sums
    bk_home "$DIRECTORY"
    DIRECTORY=$path
    cd "$DIRECTORY" || bk_fail "$DIRECTORY is not there"
    [ -z "$SHA256" ] || [ ! -f "$FILE.part" ] || ! dc_is "$FILE.part" "$SHA256" || return 0 # an earlier try came so far
    most=$(($(bk_free .) - RESERVE_KIB))
    [ "$most" -gt 0 ] || bk_fail "$DIRECTORY has not the $RESERVE_KIB KiB that stay free"
    bk_say fetch "$FILE"
    bk_command_need
    bk_bound
    ft_named "$FILE"
    code=0
    (bk_piped "$FETCH") </dev/null >"$FILE.part" 2>"$work/said" || code=$?
    bk_unbound
    [ "$code" -eq 0 ] || bk_fail "the command ended with $code: $(bk_said)"
    [ -s "$FILE.part" ] || bk_fail "the command gave nothing: $(bk_said)"
    [ -z "$SHA256" ] || dc_is "$FILE.part" "$SHA256" || bk_fail "what came has the sha256 $found, not $SHA256; it was removed"
}

ft_leave() {
    left=$?
    trap - EXIT
    [ -z "$work" ] || rm -rf "$work"
    if [ "$left" -ne 0 ]; then
        rm -f "$FILE.part"
        case $DIRECTORY:$(pwd) in */.brought-*:*/.brought-*) cd / && rmdir "$DIRECTORY" 2>/dev/null ;; esac
    fi
    exit "$left"
}
