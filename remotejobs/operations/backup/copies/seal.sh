# shellcheck shell=sh disable=SC2030,SC2031,SC2034,SC2154
# What goes from this host to another place: encrypted for the recipients, with a checksum and a record of its own. Sent
# behind backup.sh.
#
# Settings: SEAL (age, gpg, or '': nothing is encrypted) RECIPIENTS (words for the shell)
#
# In DIRECTORY/.outgoing/, until every place has it:  FILE.age, FILE.age.sha256, FILE.age.json
# In DIRECTORY/.copies/PLACE/FILE: JSON, where a copy of FILE is and when it was last seen whole; also after FILE is gone

bk_seal() { # a backup that cannot be encrypted stays here, and is a good one all the same
    sealed=''
    [ -n "$SEAL" ] || return 0
    bk_say encrypt "$SEAL"
    [ -z "$incomplete" ] || return 0
    [ "$(bk_free .)" -ge "$((bytes / 1024 + MIN_FREE_KIB))" ] || { bk_warn "not encrypted, and so not copied: $DIRECTORY \
has not the room for that" && return 0; }
    mkdir -p .outgoing
    to=.outgoing/$file.$SEAL
    if { "bk_seal_$SEAL" "$file" "$to.part" && bk_sealed_whole && bk_seal_described; } >"$work/said" 2>&1; then
        sealed=$to
        bk_check_passed "$SEAL: encrypted"
    else
        rm -f "$to" "$to.part" "$to.sha256" "$to.json" "$to.json.part"
        bk_warn "not encrypted, and so not copied: $(bk_said)"
    fi
}

bk_seal_age() { # FILE TO
    command -v age >/dev/null || { echo "age is not installed on this host" && return 1; }
    from=$1 into=$2
    eval "set -- $RECIPIENTS"
    for each in "$@"; do
        shift
        set -- "$@" -r "$each"
    done
    age "$@" -o "$into" "$from"
}

bk_seal_gpg() { # FILE TO
    command -v gpg >/dev/null || { echo "gpg is not installed on this host" && return 1; }
    from=$1 into=$2
    eval "set -- $RECIPIENTS"
    for each in "$@"; do
        shift
        set -- "$@" -r "$each"
    done
    gpg --batch --yes --no-tty --trust-model always --compress-algo none "$@" -o "$into" --encrypt "$from"
}

bk_sealed_whole() { # without the secret key no more can be seen of it than how it begins and how long it is
    [ "$(bk_size "$to.part")" -gt "$bytes" ] || { echo "it is shorter than what was encrypted" && return 1; }
    [ "$SEAL" != age ] || [ "$(head -c 21 "$to.part" | tr -d '\000')" = age-encryption.org/v1 ] || { echo "it is no file of age" && return 1; }
}

bk_seal_described() {
    sealed_sum=$($sha256 <"$to.part") && printf '%s  %s\n' "${sealed_sum%% *}" "$file.$SEAL" >"$to.sha256" && bk_sync "$to.part" "$to.sha256" &&
        bk_sealed_record && mv "$to.part" "$to" && bk_sync .outgoing
}

bk_sealed_record() (
    plain_file=$file plain_bytes=$bytes plain_sum=$sum encrypted=$SEAL
    cd .outgoing && file=$file.$SEAL bytes=$(bk_size "$plain_file.$SEAL.part") sum=${sealed_sum%% *} && bk_record
)
