# shellcheck shell=sh
# What nginx needs of its host: the file of its upstreams read and replaced, a reload that is seen to be in force, and
# who may still send requests to a server. Each function is called by itself; what it prints last says what is wrong.

_rj_fail() { # EXIT-CODE MESSAGE
    echo "$2"
    exit "$1"
}

# The process id of the master.
_rj_master() { # PID-FILE
    master=$(cat "$1" 2>&1) || _rj_fail 3 "there is no pid file: $master"
    kill -0 "$master" 2>/dev/null || [ -d "/proc/$master" ] || _rj_fail 3 "the process $master of $1 is not there"
}

# The workers that are $1: `serving` take new requests, `leaving` only finish those that they have.
_rj_workers() {
    ps -A -o pid= -o ppid= -o args= | awk -v master="$master" -v wanted="$1" '
        $2 == master && /worker process/ { if ((/is shutting down/ ? "leaving" : "serving") == wanted) print $1 }'
}

_rj_file() { # FILE
    file=$(readlink -f "$1") && [ -f "$file" ] || _rj_fail 6 "there is no file $1"
    [ -r "$file" ] || _rj_fail 5 "its user may not read $file"
}

# The checksum of the file; how many connections this host has to ADDRESS (? unknown); the leaving workers; the file, and
# a point that keeps the end of its last line.
rj_nginx_read() { # FILE PID-FILE ADDRESS
    _rj_file "$1"
    _rj_master "$2"
    cksum <"$file"
    case $3 in
    '' | unix:*) echo '?' ;;
    *)
        if open=$(ss -Htn state established state syn-sent dst "$3" 2>/dev/null); then
            printf '%s' "$open" | grep -c .
        else
            echo '?'
        fi
        ;;
    esac
    _rj_workers leaving | grep -c .
    cat "$file"
    echo .
}

# Raise what would keep every server from being marked.
rj_nginx_check() { # FILE PID-FILE NGINX...
    _rj_file "$1"
    _rj_master "$2"
    shift 2
    [ -w "$file" ] && [ -w "${file%/*}" ] || _rj_fail 5 "its user may not write to $file and its directory"
    kill -0 "$master" 2>/dev/null || _rj_fail 5 "its user may not signal the process $master"
    command -v flock >/dev/null || _rj_fail 4 "there is no flock"
    said=$("$@" -t 2>&1) || _rj_fail 7 "$said"
    [ -n "$(_rj_workers serving)" ] || _rj_fail 4 "no worker of the process $master is seen by ps"
}

# Replace the file by TEXT, unless its checksum is another one by now, and return once no worker that has another
# configuration takes new requests. What nginx does not take is taken back.
rj_nginx_replace() { # FILE PID-FILE CHECKSUM TEXT NGINX...
    _rj_file "$1"
    _rj_master "$2"
    checksum=$3 text=$4
    shift 4
    exec 9<"${file%/*}"
    flock -w 10 9 || _rj_fail 3 "another process has locked ${file%/*}"
    [ "$(cksum <"$file")" = "$checksum" ] || _rj_fail 9 "the file $file was changed meanwhile"
    # Under names that no `include *` reads, and by a rename, so that a reload by others never reads half of it.
    former=${file%/*}/.${file##*/}.before next=${file%/*}/.${file##*/}.next
    if ! { cp -p "$file" "$former" && cp -p "$file" "$next" && printf %s "$text" >"$next" && mv "$next" "$file"; }; then
        rm -f "$former" "$next"
        _rj_fail 5 "the file $file was not replaced"
    fi
    said=$("$@" -t 2>&1) || _rj_take_back 7 "$said"
    before=$(_rj_workers serving)
    said=$("$@" -s reload 2>&1) || _rj_take_back 7 "$said"
    checks=0
    until _rj_is_in_force; do
        checks=$((checks + 1))
        [ "$checks" -lt 200 ] || _rj_take_back 7 "it did not take the new configuration; its error log says why"
        sleep 0.05 2>/dev/null || sleep 1
    done
    rm -f "$former"
}

_rj_is_in_force() {
    now=$(_rj_workers serving)
    [ -n "$now" ] || return 1
    for worker in $now; do
        for earlier in $before; do
            [ "$worker" != "$earlier" ] || return 1
        done
    done
}

_rj_take_back() { # EXIT-CODE MESSAGE
    mv "$former" "$file"
    _rj_fail "$1" "$2"
}

# Those of the addresses HOST:PORT that accept no connection from here.
rj_refusing() {
    for address; do
        host=${address%:*} port=${address##*:}
        [ "$host" != "$address" ] || port=80
        host=${host#[} host=${host%]}
        _rj_accepts "$host" "$port" >/dev/null 2>&1 || echo "$address"
    done
}

_rj_accepts() { # HOST PORT
    if command -v python3 >/dev/null; then
        python3 -c 'import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)' "$1" "$2"
    elif command -v perl >/dev/null; then
        perl -MIO::Socket::IP -e 'exit !IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1], Timeout => 2)' "$1" "$2"
    else
        nc -z -w 2 "$1" "$2"
    fi
}
