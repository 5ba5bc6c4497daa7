# shellcheck shell=sh
# The host's part of a transfer: checksums, and giving a file its name once it is whole. Python puts one call below.

tr_sum() { # FILE -> its sha256
    if command -v sha256sum >/dev/null; then
        sha256sum <"$1"
    elif command -v shasum >/dev/null; then
        shasum -a 256 <"$1"
    else
        openssl dgst -sha256 -r <"$1"
    fi | cut -d ' ' -f 1
}

tr_fail() { # REASON
    printf '%s\n' "$1" >&2
    exit 1
}

tr_digest() { # FILE: says what it is, for a pull, or before a push that may not be needed
    [ -r "$1" ] || tr_fail "$1 cannot be read"
    printf 'sha256 %s\n' "$(tr_sum "$1")"
}

# PART DEST SHA256 MODE: PART becomes DEST when it has the sha256 ("": any), at once and for good. It is copied beside
# DEST first where it is elsewhere, because only the same directory has room for sure to rename in.
tr_seal() {
    directory=$(dirname "$2") near=$1
    if [ "$directory" != "$(dirname "$1")" ]; then
        near=$directory/$(basename "$1")
        cp -- "$1" "$near" || tr_fail "cannot write in $directory"
        rm -f -- "$1"
    fi
    found=$(tr_sum "$near")
    if [ "$found" != "${3:-$found}" ]; then
        rm -f -- "$near"
        tr_fail "what arrived has the sha256 $found, not $3; it was removed"
    fi
    if ! { chmod "$4" "$near" && tr_sync "$near" && mv -f -- "$near" "$2" && tr_sync "$directory"; }; then
        tr_fail "cannot make $2"
    fi
    printf 'sha256 %s\n' "$found"
}

tr_sync() { sync "$1" 2>/dev/null || sync; }

# URL DEST SHA256 RATE: fetch URL into DEST, going on where an earlier try stopped; RATE is bytes a second, 0 for any.
tr_download() {
    url=$1 dest=$2 wanted=$3 rate=$4
    [ ! -d "$dest" ] || tr_fail "$dest is a directory"
    if [ -n "$wanted" ] && [ -f "$dest" ] && [ "$(tr_sum "$dest")" = "$wanted" ]; then
        printf '%s is there already\nsha256 %s\n' "$dest" "$wanted"
        return
    fi
    # A part belongs to one content: to go on with a part of another would be wrong, so without a sha256 to identify it
    # an earlier one is not used.
    part=$(dirname "$dest")/.$(basename "$dest").${wanted:-any}.part
    [ -n "$wanted" ] || rm -f "$part"
    answer=${REMOTEJOBS_DIR:+$REMOTEJOBS_DIR/answer}
    tr_watch &
    watch=$!
    tr_fetch
    rc=$?
    kill "$watch"
    [ "$rc" -eq 0 ] || tr_fail "$url could not be fetched: $(tr_why)"
    tr_seal "$part" "$dest" "$wanted" 644
}

tr_why() { # what $rc means, and what is left
    case $rc,$status in
    22,*) printf 'the server answered %s' "${status#"${status%???}"}" ;;
    *) printf '%s ended with %s' "$tool" "$rc" ;;
    esac
    [ ! -s "$part" ] || printf '; what came so far is kept in %s' "$part"
}

tr_watch() { # says now and then how far it is
    while sleep 2; do
        [ -f "$part" ] || continue
        now=$(($(wc -c <"$part"))) total=$(tr_size)
        said="$((now / 1024)) KiB so far"
        if [ "${total:-0}" -gt 0 ] && [ "$now" -le "$total" ]; then
            said="$((now * 100 / total)) $((now / 1024)) of $((total / 1024)) KiB"
        fi
        printf '%s\n' "$said" >>"${REMOTEJOBS_PROGRESS:-/dev/null}"
    done
}

tr_size() { # how many bytes there are in all, by the last answer of the server; nothing where it did not say
    [ -f "$answer" ] && tr -d '\r' <"$answer" | awk '
        /^HTTP\// { size = "" }
        tolower($1) == "content-length:" && size == "" { size = $2 }
        tolower($1) == "content-range:" { size = $NF; sub(/.*\//, "", size) }
        END { if (size ~ /^[0-9]+$/) print size }'
}

tr_fetch() { # $url to the end of $part; a connection that ends is taken up again -> $tool $status
    tool=curl status=
    if ! command -v curl >/dev/null; then
        tool=wget
        set -- --continue --tries 10 --waitretry 2 --timeout 60 --no-verbose --output-document "$part"
        [ "$rate" -eq 0 ] || set -- "$@" --limit-rate "$rate"
        wget "$@" "$url"
        return
    fi
    set -- --fail --location --silent --show-error --retry 10 --retry-connrefused --output "$part" --continue-at -
    set -- "$@" --speed-limit 1 --speed-time 60 --write-out '%{http_code}'
    [ "$rate" -eq 0 ] || set -- "$@" --limit-rate "$rate"
    [ -z "$answer" ] || set -- "$@" --dump-header "$answer"
    tries=0
    until status=$(curl "$@" "$url"); do
        rc=$? tries=$((tries + 1))
        case $rc,$status in
        18,* | 28,* | 52,* | 56,*) sleep 1 ;; # cut off on the way
        22,*416 | 33,* | 36,*) # refused, but perhaps only to go on from there
            [ -s "$part" ] || return "$rc"
            rm -f "$part"
            ;;
        *) return "$rc" ;;
        esac
        [ "$tries" -lt 10 ] || return "$rc"
    done
}
