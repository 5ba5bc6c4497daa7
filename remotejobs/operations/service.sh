# shellcheck shell=sh
# Checks a service of this host from within. Python puts one call below; answers with lines of `key value`.

sv_check() { # PORT URL TIMEOUT: port 0 and an empty URL are not asked for
    [ "$1" -eq 0 ] || printf 'listens %s\n' "$(sv_listens "$1")"
    [ -z "$2" ] || sv_fetch "$2" "$3"
}

sv_listens() { # PORT
    if [ -r /proc/net/tcp ]; then
        cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$(printf ':%04X' "$1")" '
            $4 == "0A" && substr($2, length($2) - 4) == port { found = 1 }
            END { print found ? "yes" : "no" }'
    else
        netstat -an | awk -v port="[.:]$1\$" '/LISTEN/ && $4 ~ port { found = 1 } END { print found ? "yes" : "no" }'
    fi
}

sv_fetch() { # URL TIMEOUT
    if command -v curl >/dev/null; then
        said=$(curl --silent --show-error --output /dev/null --write-out '%{http_code}' --noproxy '*' --max-time "$2" "$1" 2>&1)
    else
        said=$(wget --server-response --tries 1 --timeout "$2" --no-proxy --output-document /dev/null "$1" 2>&1 |
            awk '/^ *HTTP\// { code = $2 } { last = $0 } END { print code ? code : last }')
    fi
    printf 'status %s\n' "$(printf '%s' "$said" | tr '\n' ' ')"
}
