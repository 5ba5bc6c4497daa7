#!/bin/sh
# Guess:   "Unable to parse hosts as an inventory source" means that nothing of that file is used.
# Seen:    what stood before the error stays, hosts and variables, and takes part as soon as another inventory of the
#          same command can be read; what stood behind it is missing. Alone, the same file gives no host at all.
# Version: ansible-core 2.19.14 (Python 3.11).
# Matters: the exit code is 0 either way. With two `-i`, as many teams have one for each cloud, a run goes to half of a
#          file that was refused, with the variables of half of it.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3.11 -m venv env
env/bin/pip -qq --disable-pip-version-check install ansible-core==2.19.14
env/bin/ansible-inventory --version | sed -n 1p

printf '[web]\nw1\nw9 oops\n[web]\nw2\n' > broken
printf 'other\n' > good
for sources in "-i broken" "-i good -i broken"; do
    # shellcheck disable=SC2086 # two words each
    env/bin/ansible-inventory $sources --graph > said 2> warned
    echo "$sources: exit code $?; $(grep -o 'Unable to parse.*' warned | sed "s|$work/||"); hosts: $(grep -o -- '--[a-z0-9]*$' said | tr -d '\n')"
    cp said "said.$(echo "$sources" | wc -w)"
done
if grep -q w1 said.2 || ! grep -q w1 said.4 || grep -q w2 said.4; then
    echo "CHANGED: it is not as the header says any more"
    exit 1
fi
