# shellcheck shell=sh disable=SC2034,SC2046,SC2153,SC2154
# A copy that was brought to this host to be restored: checked, decrypted where it is encrypted, and described as the backup
# that it was. Sent behind the texts of the backup.
#
# Settings: DIRECTORY (of this restore alone) PART FILE BYTES SHA256 (as it arrives; '' where that is not known) ENCRYPTED (age, gpg or '') PLAIN
#           PLAIN_BYTES PLAIN_SHA256 (as it was) DESCRIBED (its record then; '' where it has none) IDENTITY (a file in memory; it is removed at once)

dc_ready() { # answers with `at PATH`, and `room KIB`; what restores left that are no more is removed
    umask 077
    bk_home "$DIRECTORY"
    { mkdir -p "$path" && cd "$path"; } || { echo "error $path cannot be made or entered" && return; }
    echo "at $path"
    set -- $(du -sk .) # what an earlier try brought needs no room again
    echo "room $(($(bk_free .) + $1))"
    find .. -maxdepth 1 -name '.brought-*' ! -name "${path##*/}" -mtime +1 -exec rm -rf {} + 2>/dev/null
    return 0
}

dc_main() {
    umask 077
    what=copy step=preflight ITEM=$FILE work='' keys=''
    trap dc_leave EXIT
    trap 'exit 143' HUP INT TERM
    if [ -n "$IDENTITY" ]; then
        [ -r "$IDENTITY" ] || bk_fail "the identity is not there; it waits for a few minutes only"
        exec 3<"$IDENTITY"
        rm -f "$IDENTITY"
    fi
    work=$(mktemp -d) || bk_fail "no temporary directory"
    for dead in "${IDENTITY%/*}"/rj_gnupg_??????; do # of a job that was killed with KILL
        ! bk_is_dead "$dead" || rm -rf "$dead"
    done
    bk_sums
    bk_home "$DIRECTORY"
    DIRECTORY=$path
    cd "$DIRECTORY" || bk_fail "$DIRECTORY is not there"
    if [ -f "$PLAIN" ] && dc_is "$PLAIN" "$PLAIN_SHA256"; then # an earlier try came so far
        dc_described
        return
    fi
    if [ "$PART" != "$DIRECTORY/$FILE.part" ]; then
        cp "$PART" "$FILE.part" || bk_fail "$PART cannot be copied to $DIRECTORY"
        rm -f "$PART"
    fi
    bk_say checksum "$FILE"
    [ -z "$SHA256" ] || dc_is "$FILE.part" "$SHA256" || { rm -f "$FILE.part" && bk_fail "what arrived has the sha256 $found, not $SHA256; it was removed"; }
    case $ENCRYPTED in
    '') mv "$FILE.part" "$PLAIN" ;;
    age | gpg)
        bk_say decrypt "$ENCRYPTED"
        [ "$(bk_free .)" -ge "$((PLAIN_BYTES / 1024))" ] || bk_fail "$DIRECTORY has not the room for $PLAIN_BYTES bytes"
        bk_need "$ENCRYPTED"
        "dc_$ENCRYPTED" 2>"$work/said" || bk_fail "it cannot be decrypted: $(bk_said)"
        dc_is "$PLAIN.part" "$PLAIN_SHA256" || bk_fail "decrypted it has the sha256 $found, not $PLAIN_SHA256"
        mv "$PLAIN.part" "$PLAIN" && rm -f "$FILE.part"
        ;;
    esac
    dc_described
}

dc_described() {
    { { [ -z "$DESCRIBED" ] || bk_described >"$PLAIN.json"; } && printf '%s  %s\n' "$PLAIN_SHA256" "$PLAIN" >"$PLAIN.sha256"; } ||
        bk_fail "nothing can be written to $DIRECTORY"
    bk_sync .
}

dc_leave() {
    left=$?
    trap - EXIT
    [ -z "$keys" ] || { gpgconf --homedir "$keys" --kill all; rm -rf "$keys"; } 2>/dev/null
    [ -z "$work" ] || rm -rf "$work"
    [ "$left" -eq 0 ] || rm -f "$PLAIN" "$PLAIN.part"
    exit "$left"
}

dc_is() { # FILE SHA256 -> $found
    found=$($sha256 <"$1") || bk_fail "$1 cannot be read"
    found=${found%% *}
    [ "$found" = "$2" ]
}

dc_age() { age -d -i - -o "$PLAIN.part" "$FILE.part" <&3; } # it leaves a part where it fails

dc_gpg() {
    if [ -z "$IDENTITY" ]; then # a key of this host's own
        gpg --batch --yes --no-tty -o "$PLAIN.part" --decrypt "$FILE.part"
        return
    fi
    keys=$(mktemp -d "${IDENTITY%/*}/rj_gnupg_XXXXXX") && bk_self >"$keys/run" || return
    gpg --homedir "$keys" --batch --no-tty --import <&3 &&
        gpg --homedir "$keys" --batch --yes --no-tty -o "$PLAIN.part" --decrypt "$FILE.part"
}

bk_said() { { grep -i -e error -e failed -e 'no identity' "$work/said" || cat "$work/said"; } | head -n 3 | tr '\n' ' '; }
