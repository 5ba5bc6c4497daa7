#!/bin/sh
# Guess:   `.backup` of sqlite3 copies a database whole while others write, and takes about as long as without them; `.timeout`
#          is how long it bears one that has the database locked.
# Seen:    it lets go of the database every 100 pages, and each write of another process makes it begin again. With a
#          write-ahead log it ends no sooner than the writer does. Without one it fails with "database is locked" though
#          nobody ever holds the lock for long: its waits in all its beginnings are added up, and the sum is what `.timeout`
#          bounds. In a transaction that has read something, .backup begins only once.
# Version: SQLite 3.40.1 (Debian 12), Python 3.11's sqlite3 as the writer.
# Matters: a nightly backup works for years, until the database takes longer to copy than the pause between two writes.
set -eu
work=$(mktemp -d)
writer=
# shellcheck disable=SC2329 # by trap
clean_up() {
    rm -rf "$work"
    [ -z "$writer" ] || kill "$writer" 2> /dev/null || true
}
trap clean_up EXIT
cd "$work"
apt-get download -qq sqlite3=3.40.1-2+deb12u2 libsqlite3-0=3.40.1-2+deb12u2 > /dev/null 2>&1
for package in *.deb; do dpkg-deb -x "$package" root; done
sqlite3() { LD_LIBRARY_PATH=$(echo "$work"/root/usr/lib/*-linux-gnu) "$work/root/usr/bin/sqlite3" -init /dev/null "$@"; }
sqlite3 -version

cat > write.py << 'END'
"""Write a row every 10 ms until the file `stop` is there, and say for how long the longest write took."""
import os
import sqlite3
import time

database = sqlite3.connect("app", timeout=60)
database.execute("PRAGMA synchronous = off")
longest = 0.0
while not os.path.exists("stop"):
    began = time.monotonic()
    database.execute("INSERT INTO log VALUES (1)")
    database.commit()
    longest = max(longest, time.monotonic() - began)
    open("writes", "w").close()
    time.sleep(0.01)
print(f"{longest:.2f} s")
END

sqlite3 app "CREATE TABLE log (n); CREATE TABLE data (b); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
    WHERE i < 30000) INSERT INTO data SELECT zeroblob(4000) FROM n"
now() { date +%s%N; }
began=$(now)
sqlite3 app '.backup quiet'
quiet=$((($(now) - began) / 1000000))
echo "nobody writes: $quiet ms"

begin_writing() {
    rm -f stop writes
    python3 write.py > longest &
    writer=$!
    until [ -e writes ]; do sleep 0.05; done
}
end_writing() {
    : > stop
    wait "$writer"
    writer=
}
in_transaction() {
    sqlite3 app '.timeout 2000' 'BEGIN; SELECT count(*) FROM data' '.backup whole' > /dev/null &&
        [ "$(sqlite3 whole 'PRAGMA integrity_check; SELECT count(*) FROM data' | tr '\n' ' ')" = "ok 30000 " ]
}

begin_writing
sqlite3 app '.timeout 2000' '.backup copy' 2> said && locked=no || locked=$(grep -o 'database is locked' said)
end_writing
echo "a journal and a writer: ${locked}, with a timeout of 2 s; the writer's longest write took $(cat longest)"
begin_writing
in_transaction && held=copied || held=failed
end_writing
echo "in a transaction: $held"

sqlite3 app 'PRAGMA journal_mode = wal' > mode
begin_writing
(sqlite3 app '.timeout 2000' '.backup copy' && echo 0 > rc || echo $? > rc) &
sleep $((quiet / 100 + 3))
early=$([ -e rc ] && echo ended || echo runs)
in_transaction && held_too=copied || held_too=failed
end_writing
wait
echo "a write-ahead log and a writer: after 3 s and ten times that long it still $early;" \
    "in a transaction: $held_too; once the writer had stopped: exit code $(cat rc)"
[ "$locked, $held, $early, $held_too, $(cat rc)" = "database is locked, copied, runs, copied, 0" ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
