# shellcheck shell=sh disable=SC2034,SC2153,SC2154
# Encrypts a backup that lies here for other places: when it was made that failed, or what was ready to go is gone. Sent
# behind seal.sh.
#
# Settings: DIRECTORY FILE ITEM MIN_FREE_KIB, and those of seal.sh

sl_main() {
    umask 077
    what=encryption step=preflight file=$FILE work='' incomplete='' warnings='' checks='' sealed=''
    trap 'code=$?; [ -z "$work" ] || rm -rf "$work"; exit "$code"' EXIT
    trap 'exit 143' HUP INT TERM
    work=$(mktemp -d) || bk_fail "no temporary directory"
    bk_sums
    bk_home "$DIRECTORY"
    DIRECTORY=$path
    { cd "$DIRECTORY" && [ -f "$file.json" ] && read -r sum _ <"$file.sha256"; } ||
        bk_fail "$DIRECTORY/$file is not there, or has no record"
    bytes=$(bk_size "$file")
    bk_say checksum "$file"
    found=$($sha256 <"$file") || bk_fail "$file cannot be read"
    [ "${found%% *}" = "$sum" ] || bk_fail "$file is damaged: its sha256 is ${found%% *}, and $sum was recorded"
    bk_seal
    [ -n "$sealed" ] || bk_fail "$(printf '%s' "$warnings" | sed 's/^warning=//')"
}

bk_sealed_record() { # what its own record says, of another file
    sealed_bytes=$(bk_size "$to.part") || return
    LC_ALL=C awk -v file="$file" -v seal="$SEAL" -v bytes="$sealed_bytes" -v sum="${sealed_sum%% *}" -v was="$bytes" -v plain="$sum" '
        /^"file": / { $0 = "\"file\": \"" file "." seal "\"," }
        /^"bytes": / { $0 = "\"bytes\": " bytes "," }
        /^"sha256": / {
            print "\"sha256\": \"" sum "\",\n\"encrypted\": \"" seal "\",\n\"plain_file\": \"" file "\","
            $0 = "\"plain_bytes\": " was ",\n\"plain_sha256\": \"" plain "\","
        }
        { print }' "$file.json" >"$to.json.part" && bk_sync "$to.json.part" && mv "$to.json.part" "$to.json"
}
