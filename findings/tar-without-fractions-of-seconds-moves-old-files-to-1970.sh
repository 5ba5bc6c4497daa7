#!/bin/sh
# Guess:   --pax-option=delete=mtime leaves the fraction of a file's time out of a pax archive, and the 1 KiB that it takes; the seconds
#          are in the header of each file anyway, as in the older format.
# Seen:    the seconds in that header are those from 1970 to 2242 alone. The time of any other file becomes 1970-01-01, rc 0 and no word. The
#          older format (--format=gnu) keeps it.
# Version: GNU tar 1.34 (Debian 12).
# Matters: --xattrs, --acls and --selinux make an archive a pax one, where small files take half as much again for their fractions. The option
#          that saves this is not safe for what is dated far away, as scanned photographs and imported mail are.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq tar=1.34+dfsg-1.2+deb12u1 > /dev/null 2>&1
dpkg-deb -x tar_*.deb root
PATH=$work/root/bin:$PATH
export TZ=UTC
tar --version | sed -n 1p

mkdir files
touch -d '1960-01-01 00:00:00.5' files/half
touch -d '1960-01-01 00:00:00' files/whole
touch -d '2300-01-01 00:00:00.5' files/late
changed=''
seen() { # OPTIONS HALF WHOLE LATE, as they are expected to come back
    # shellcheck disable=SC2086 # a list of words
    tar -c $1 -f archive files
    rm -rf there && mkdir there && tar -xf archive -C there 2> /dev/null # it warns of both times
    for name in half whole late; do
        came=$(stat -c %y "there/files/$name" | cut -c 1-21)
        echo "$1: $(stat -c %y "files/$name" | cut -c 1-21) comes back as $came"
        case $name in half) expected=$2 ;; whole) expected=$3 ;; late) expected=$4 ;; esac
        [ "$came" = "$expected" ] || changed=yes
    done
}
seen --format=pax '1960-01-01 00:00:00.5' '1960-01-01 00:00:00.0' '2300-01-01 00:00:00.5'
seen '--format=pax --pax-option=delete=mtime' '1970-01-01 00:00:00.0' '1970-01-01 00:00:00.0' '1970-01-01 00:00:00.0'
seen --format=gnu '1960-01-01 00:00:00.0' '1960-01-01 00:00:00.0' '2300-01-01 00:00:00.0'
[ -z "$changed" ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
