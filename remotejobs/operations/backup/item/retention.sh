# shellcheck shell=sh disable=SC2034,SC2154
# Which old backups of the item go. Sent behind backup.sh.

bk_good() { bk_kept whole | bk_until_now; }

bk_kept() { # whole or incomplete -> one line `STAMP TESTED` for each such backup of this item, the newest first
    for good in "$ITEM"-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z."$EXTENSION"; do
        if [ ! -f "$good" ] || [ ! -f "$good.sha256" ] || [ -f "$good.damaged" ]; then continue; fi
        sort=whole tested_before=0
        [ ! -f "$good.incomplete" ] || sort=incomplete
        [ "$sort" = "$1" ] || continue
        [ ! -f "$good.restored" ] || tested_before=1
        good=${good%."$EXTENSION"}
        echo "${good##*-} $tested_before"
    done | sort -r
}

# Without those that a clock which was wrong once has dated after now: they would push out good ones for years.
bk_until_now() { awk -v now="$(date -u +%Y%m%dT%H%M%SZ)" '$1 "" <= now ""'; }

# LAST DAILY WEEKLY MONTHLY, and bk_good's lines on stdin -> the stamps that may go. The LAST newest stay, and the newest
# of each of the last DAILY days that have a backup, likewise of weeks (from Monday) and months; the newest that was
# restored stays in any case. All in UTC.
bk_prunable() {
    awk -v last="$1" -v daily="$2" -v weekly="$3" -v monthly="$4" '
        function number(stamp,    y, m, d) { # of the day, from a Wednesday on
            y = substr(stamp, 1, 4) + 0; m = substr(stamp, 5, 2) + 0; d = substr(stamp, 7, 2) + 0
            if (m <= 2) { y--; m += 12 }
            return 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * (m - 3) + 2) / 5) + d - 1
        }
        function first(period, limit) { # is this the newest of one of the last periods?
            if (period in seen) return 0
            seen[period] = 1
            return ++count[substr(period, 1, 1)] <= limit
        }
        {
            day = number($1)
            stays = NR <= last
            if (first("d" day, daily)) stays = 1
            if (first("w" int((day + 2) / 7), weekly)) stays = 1
            if (first("m" substr($1, 1, 6), monthly)) stays = 1
            if ($2 == 1 && !tested++) stays = 1
            if (!stays) print $1
        }'
}

bk_retain() {
    bk_say retention "$RETENTION"
    bk_kept whole | awk -v now="$(date -u +%Y%m%dT%H%M%SZ)" -v name="$ITEM" -v extension="$EXTENSION" '
        $1 "" > now "" { print name "-" $1 "." extension " is dated after now: it does not count, and stays" }'
    if [ "$RETENTION" = off ]; then
        :
    elif bk_jumped; then
        bk_warn "the clock says that the last backup was made more than a year ago; is it right? Nothing was removed"
    else
        # What is incomplete counts only among its like. It pushes out nothing that is whole.
        [ -n "$incomplete" ] || bk_prune whole
        bk_prune incomplete
    fi
    kept=$(($(bk_good | wc -l)))
    bk_left_by_dead
}

bk_left_by_dead() { # what a run left more than a day ago whose host lost its power
    for stale in "$ITEM"-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z."$EXTENSION".*; do
        of=${stale%%Z."$EXTENSION".*}Z.$EXTENSION
        case ${stale#"$of"} in
        .part* | .json.part | .sha256.part) ;;
        .json | .sha256 | .restored | .untested | .changed | .incomplete | .damaged | .verified) [ ! -e "$of" ] || continue ;;
        *) continue ;; # another one: .age may be a copy of what was encrypted
        esac
        [ -z "$(find "$stale" -prune -mtime +0 2>/dev/null)" ] || rm -rf "$stale"
    done
}

bk_archive() { # FILE: its record outlives it, for reports; of where its copies are, .copies knows
    mkdir -p .records && cp "$1.json" ".records/$1.json" 2>/dev/null
    find .records -type f -mtime +400 -exec rm -f {} + 2>/dev/null
    # A place that a command reaches is asked for nothing: what is noted here is all that is known of the copies there.
    find .copies -type f -mtime +400 2>/dev/null | while IFS= read -r noted; do
        [ -e "${noted##*/}" ] || grep -q '"host": ""' "$noted" || rm -f "$noted"
    done
    return 0
}

bk_jumped() { # has a clock gone on by more than a year since the last backup?
    bk_good | awk '
        { month = substr($1, 1, 4) * 12 + substr($1, 5, 2) }
        NR == 1 { now = month }
        NR == 2 { jumped = now - month > 13 }
        END { exit !jumped }'
}

bk_prune() { # whole or incomplete
    for old in $(bk_kept "$1" | bk_until_now | bk_prunable "$LAST" "$DAILY" "$WEEKLY" "$MONTHLY"); do
        [ "$old" != "$stamp" ] || continue # a clock that was wrong once must not cost the backup just made
        old=$ITEM-$old.$EXTENSION
        removed=$((removed + 1))
        if [ "$RETENTION" = dry_run ]; then
            echo "would remove $old"
        else
            echo "removing $old"
            bk_archive "$old"
            bk_remove "$old" || bk_fail "$old cannot be removed"
        fi
    done
}
