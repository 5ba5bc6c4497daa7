#!/bin/sh
# Guess:   `tar -tzf FILE` ends with an error where FILE is cut off, as gzip then cannot read it.
# Seen:    tar stops at its own end of archive and closes the pipe. What gzip would have said of the rest, its checksum too, nobody
#          hears: rc 0. It is heard only where the rest fits into the record of 10 KiB that tar reads last. An archive written in
#          larger records (`tar -b 512`) ends with up to 256 KiB of zeros, in which the cut is.
# Version: GNU tar 1.34, gzip 1.12 (Debian 12).
# Matters: `tar -tz` is how archives are checked. It proves the checksum of gzip for archives of the usual records only; `gzip -t`
#          proves it for all.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq tar=1.34+dfsg-1.2+deb12u1 gzip=1.12-1 > /dev/null 2>&1
for package in *.deb; do dpkg-deb -x "$package" root; done
PATH=$work/root/bin:$work/root/usr/bin:$PATH
tar --version | sed -n 1p
gzip --version | sed -n 1p

printf '%10000s\n' x > file
changed=''
for record in 20 512; do
    tar -cz -b "$record" -f whole file
    head -c "$(($(wc -c < whole) - 20))" whole > part
    code=0
    tar -tzf part > said 2>&1 || code=$?
    unzip=0
    gzip -t part 2> /dev/null || unzip=$?
    echo "records of $((record / 2)) KiB, the last 20 bytes cut off: tar -tz ends with $code, gzip -t with $unzip"
    case $record:$code:$unzip in 20:2:1 | 512:0:1) ;; *) changed=yes ;; esac
done
[ -z "$changed" ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
