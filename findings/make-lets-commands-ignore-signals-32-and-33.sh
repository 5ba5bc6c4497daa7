#!/bin/sh
# Guess:   a command in a Makefile has the signal dispositions of the shell that called make; a program that resets all
#          signals to their defaults has none ignored.
# Seen:    commands of GNU make run with signals 32 and 33 ignored (SigIgn 180000000) although the caller ignored none.
#          They are the C library's own: its sigaction refuses to change them, so Python, perl and every other program
#          linked with it hands them on ignored, and so does what it starts detached, after any reset "of all signals".
# Version: GNU make 4.3-4.1, glibc 2.36 (Debian 12).
# Matters: deploy tools, test suites and job runners are started from Makefiles, and their long jobs inherit it. A check
#          that a job begins with default signals finds two ignored ones that nobody set, and no code can clear them.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq make=4.3-4.1 > /dev/null 2>&1
dpkg-deb -x make_*.deb root
make=$work/root/usr/bin/make
"$make" --version | head -n 1

# Whoever runs this may come from make too; then there is nothing to compare with.
ignored() { sed -n 's/^SigIgn:[[:space:]]*//p' "$1"; }
outside=$(ignored /proc/self/status)
printf 'all:\n\t@sed -n "s/^SigIgn:[[:space:]]*//p" /proc/self/status\n' > Makefile
inside=$("$make" --silent)
refused=$(python3 -c '
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(*(libc.sigaction(number, None, None) for number in (32, 33)))')
printf 'ignored outside of make: %s\nignored inside of make:  %s\nsigaction(32), sigaction(33): %s\n' \
    "$outside" "$inside" "$refused"
[ $((0x$outside & 0x180000000)) -eq 0 ] || {
    echo "this shell ignores them itself: run it from one that does not come from make"
    exit 2
}
[ $((0x$inside & 0x180000000)) -eq $((0x180000000)) ] && [ "$refused" = "-1 -1" ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
