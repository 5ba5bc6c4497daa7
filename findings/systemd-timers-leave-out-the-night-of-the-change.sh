#!/bin/sh
# Guess:   a timer with OnCalendar=02:30 elapses once a night, in spring too: at 03:30 or 03:00, when clocks go from 02:00
#          to 03:00. An hourly timer elapses every hour.
# Seen:    in spring that night has no run at all; the next is a day later. In autumn an hourly timer leaves two hours between
#          two runs, because only the first of the two hours of one name counts.
# Version: systemd 252 (Debian 12).
# Matters: cron(8) promises such a job right after the change, and Prefect runs it at 03:30. The same line, moved to a timer, is
#          one backup fewer a year, and "no good backup for 24 hours" on a Sunday. `02:30 UTC` has none of this.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
systemd-analyze --version | sed -n 1p

next() { # AFTER EXPRESSION -> the times in UTC, a line each
    TZ=UTC LC_ALL=C systemd-analyze calendar --base-time="$1 UTC" --iterations 3 "$2" |
        sed -n 's/.*\(Next elapse\|Iter. #[0-9]*\): [A-Z][a-z]* \([-0-9]* [:0-9]*\) UTC$/\2/p' | cut -c 6-16 | tr '\n' ','
}
daily=$(next '2026-03-28 00:00' '02:30 Europe/Berlin')
utc=$(next '2026-03-28 00:00' '02:30 UTC')
hourly=$(next '2026-10-24 22:30' '*:00 Europe/Berlin')
echo "02:30 in Berlin, spring of 2026: $daily in UTC; 02:30 UTC: $utc"
echo "hourly in Berlin, autumn of 2026: $hourly in UTC"
[ "$daily" = "03-28 01:30,03-30 00:30,03-31 00:30," ] && [ "$utc" = "03-28 02:30,03-29 02:30,03-30 02:30," ] &&
    [ "$hourly" = "10-24 23:00,10-25 00:00,10-25 02:00," ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
