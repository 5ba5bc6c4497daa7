# shellcheck shell=sh disable=SC2034,SC2154
# The record of a backup, FILE.json: what was seen of it, for the catalogue and as evidence. It is there,
# whole, before FILE has its name, and is replaced whole when the restore test has ended. Sent behind backup.sh.
#
# Settings: RECORD (what Python knows: members of the object, in JSON)

bk_check_passed() { # WHAT
    checks="${checks}i $(bk_line "$1")
"
}

bk_version() { # PROGRAM VERSION
    versions="${versions}i $(bk_line "$1 $2")
"
}

bk_record() {
    bk_record_facts | bk_utf8 | bk_record_json >"$file.json.part" && bk_sync "$file.json.part" &&
        mv "$file.json.part" "$file.json"
}

bk_fact() { printf 's %s %s\n' "$1" "$2"; } # NAME TEXT: not by echo, which makes lines of a name with \n in it

bk_record_facts() { # what bk_record_json makes of it: a letter, a name and a value a line
    bk_fact item "$ITEM"
    bk_fact kind "$KIND"
    case $KIND in postgres) bk_fact database "$PGDATABASE" ;; mariadb) bk_fact database "$MY_DATABASE_NAME" ;; esac
    bk_fact file "$file"
    [ -z "$ran" ] || bk_fact command "$(printf '%s' "$ran" | tr '\000-\037\177' ' ')"
    echo "s began $began_at"
    echo "s ended $(date -u +%Y-%m-%dT%H:%M:%SZ)"
    echo "n bytes $bytes"
    echo "s sha256 $sum"
    [ -z "${encrypted:-}" ] || printf 's encrypted %s\ns plain_file %s\nn plain_bytes %s\ns plain_sha256 %s\n' \
        "$encrypted" "$plain_file" "$plain_bytes" "$plain_sum"
    [ -z "$database_bytes" ] || echo "n database_bytes $database_bytes"
    [ -z "$entries" ] || echo "n entries $entries"
    echo "n complete $([ -z "$incomplete" ] && echo true || echo false)"
    printf 'a versions\n%s' "$versions"
    printf 'a checks\n%s' "$checks"
    if [ -n "$counted" ]; then
        echo "o rows"
        sed 's/^/r /' "$work/rows"
    fi
    printf 'a warnings\n%s' "$warnings" | sed 's/^warning=/i /'
    case $RESTORE_TEST:$tested in
    no:*) echo "s restore_test not asked" ;;
    yes:yes) printf 's restore_test passed\ns restored_on %s\nn restore_seconds %s\n' "$RESTORE_ON" "$test_seconds" ;;
    *) echo "s restore_test untested" && bk_fact untested "$(bk_line "${untested:-the restore test has not ended}")" ;;
    esac
}

bk_utf8() { # what a program said in another encoding stays readable JSON
    if command -v iconv >/dev/null; then iconv -c -f UTF-8 -t UTF-8 || :; else LC_ALL=C tr '\200-\377' '?'; fi
}

# One member a line: a reader that wants all but the rows leaves out that line, which is never the last one.
bk_record_json() {
    printf '{"record": 1,\n%s' "$RECORD"
    LC_ALL=C awk '
        BEGIN { for (at = 1; at < 32; at++) code[sprintf("%c", at)] = sprintf("\\u%04x", at) }
        function quoted(text,    out, at, one) {
            for (at = 1; at <= length(text); at++) {
                one = substr(text, at, 1)
                out = out (one in code ? code[one] : (one == "\\" || one == "\"" ? "\\" : "") one)
            }
            return "\"" out "\""
        }
        function member(name) {
            printf "%s,\n\"%s\": ", close_with, name
            close_with = ""
        }
        { letter = substr($0, 1, 1); rest = substr($0, 3) }
        letter == "s" || letter == "n" {
            cut = index(rest, " ")
            member(substr(rest, 1, cut - 1))
            value = substr(rest, cut + 1)
            printf "%s", (letter == "n" ? value : quoted(value))
        }
        letter == "a" || letter == "o" {
            member(rest)
            printf "%s", (letter == "a" ? "[" : "{")
            close_with = letter == "a" ? "]" : "}"
            comma = ""
        }
        letter == "i" { printf "%s%s", comma, quoted(rest); comma = ", " }
        letter == "r" { # a name may have line ends in it
            held = held rest
            if (match(held, /[|][0-9]+$/)) {
                printf "%s%s: %s", comma, quoted(substr(held, 1, RSTART - 1)), substr(held, RSTART + 1)
                comma = ", "
                held = ""
            } else held = held " "
        }
        END { printf "%s}\n", close_with }'
}

# --- and what is read from records --------------------------------------------------------------------------------

bk_joined() { # lines `name|count`, also where a name has line ends in it, in an order that is the same everywhere
    awk '{ held = held $0; if (held ~ /[|][0-9]+$/) { print held; held = "" } else held = held " " }' | LC_ALL=C sort
}

bk_rows_to_compare() { # FILE: what was counted when it was restored -> $work/again, and what its record says -> $work/rows
    bk_ended "$work/counted" && bk_utf8 <"$work/counted" | bk_joined >"$work/again" && bk_recorded_rows "$1" >"$work/rows"
}

bk_recorded_rows() { # FILE: the same lines from its record; none where that has none
    sed -n 's/^"rows": //p' "$1.json" 2>/dev/null | LC_ALL=C awk '{
        name = ""; inside = 0
        for (at = 1; at <= length($0); at++) {
            one = substr($0, at, 1)
            if (inside && one == "\\") {
                one = substr($0, ++at, 1)
                if (one == "u") { # of a control character: \u0009
                    one = sprintf("%c", 16 * substr($0, at + 3, 1) + index("123456789abcdef", substr($0, at + 4, 1)))
                    at += 4
                }
                name = name one
            }
            else if (one == "\"") { inside = !inside; if (inside) name = "" }
            else if (inside) name = name one
            else if (one == ":") { match(substr($0, at), /[0-9]+/); print name "|" substr($0, at + RSTART - 1, RLENGTH) }
        }
    }' | LC_ALL=C sort
}

bk_described() { # $DESCRIBED, a record from elsewhere: its rows may be more than a printf takes that is a program
    cat <<EOF
$DESCRIBED
EOF
}

bk_recorded() { # NAME FILE: a number from its record
    sed -n "s/^\"$1\": \\([0-9]*\\),*\$/\\1/p" "$2.json" 2>/dev/null
}

bk_recorded_size() { # FILE: KiB that its database may take: what the record says, or a guess, as a dump is compressed
    size=$(bk_recorded database_bytes "$1")
    if [ -n "$size" ]; then echo "$((size / 1024))"; else echo "$(($(bk_size "$1") * 4 / 1024))"; fi
}
