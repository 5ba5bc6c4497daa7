#!/bin/sh
# Guess:   a line removed from an inventory in INI form takes its host away, and no other.
# Seen:    a file without a suffix is tried as YAML first, and `h1 disk="{'size': 10}"` is a YAML mapping by accident. One
#          plain line, as `h3`, is what made it INI. When that goes, all hosts are gone: exit code 0, and a warning that
#          speaks of groups. Named hosts.ini, the same file keeps them.
# Version: ansible-core 2.19.14 (Python 3.11).
# Matters: a run that goes to fewer hosts than the day before ends well. A host is retired, and the nightly job of all
#          others no longer happens; who reads only exit codes never hears of it.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3.11 -m venv env
env/bin/pip -qq --disable-pip-version-check install ansible-core==2.19.14
env/bin/ansible-inventory --version | sed -n 1p

printf "h1 disk=\"{'size': 10}\"\nh2 disk=\"{'size': 20}\"\nh3\n" > before
sed '$d' before > after
cp after after.ini
for file in before after after.ini; do
    env/bin/ansible-inventory -i "$file" --graph > said 2> warned
    echo "$file: exit code $?; hosts: $(grep -o -- '--h[0-9]' said | tr -d '\n'); $(grep -o 'not a valid group definition' warned | sort -u)"
    grep -c -- '--h[0-9]' said > "count.$file" || true
done
[ "$(cat count.before count.after count.after.ini | tr '\n' ' ')" = "3 0 2 " ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
