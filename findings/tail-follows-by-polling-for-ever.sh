#!/bin/sh
# Guess:   `tail -F FILE` follows a rotated log at once, whether FILE was there when tail began or came later.
# Seen:    where FILE was there, tail follows the rotation by inotify, within a tenth of a second. Where FILE came later,
#          though its directory was there, tail stays with polling for ever, and asks only after five looks without news
#          whether the name means another file: 5 s. What is rotated away again before that is never seen.
# Version: GNU coreutils 9.1 (Debian 12).
# Matters: a job's log is often followed before the job has made it. `--max-unchanged-stats=1 --sleep-interval=0.5`
#          brings it down to about a second.
set -eu
work=$(mktemp -d)
trap 'kill $(cat "$work"/*.pid 2> /dev/null) 2> /dev/null; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq coreutils=9.1-1 > /dev/null 2>&1
dpkg-deb -x coreutils_*.deb root
tail=$work/root/usr/bin/tail
"$tail" --version | head -n 1

now() { date +%s%N; }

# seconds NAME OPTION... -> how many tenths of a second after a rotation its first line is seen
follow() {
    name=$1 log=$work/$1/log
    shift
    "$tail" "$@" -F "$log" > "$work/$name.out" 2> /dev/null &
    echo $! > "$work/$name.pid"
    sleep 1
    echo first >> "$log"
    until grep -q first "$work/$name.out"; do sleep 0.05; done
    sleep 1
    mv "$log" "$log.1"
    echo second > "$log"
    began=$(now)
    until grep -q second "$work/$name.out"; do sleep 0.05; done
    taken=$((($(now) - began) / 100000000))
    printf '%-30s rotation seen after %d.%d s\n' "$name" $((taken / 10)) $((taken % 10))
}

mkdir there later later-asking-often
: > there/log
follow there
there=$taken
follow later
later=$taken
follow later-asking-often --max-unchanged-stats=1 --sleep-interval=0.5
often=$taken
[ "$there" -le 10 ] && [ "$later" -ge 30 ] && [ "$often" -lt 25 ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
