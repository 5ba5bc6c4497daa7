#!/bin/sh
# Guess:   `inventory = db1,` in ansible.cfg is a list of one host, as `-i db1,` is on the command line.
# Seen:    it is split at the comma, and the empty rest is a path: the directory of ansible.cfg itself. All files in it are
#          taken for inventories, and each program there is run with --list, whatever it does.
# Version: ansible-core 2.19.14 (Python 3.11).
# Matters: the directory of a project holds its deploy and backup scripts. Merely listing hosts starts them, as the user
#          of the worker, at each command, and what they print is lost.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3.11 -m venv env
env/bin/pip -qq --disable-pip-version-check install ansible-core==2.19.14
env/bin/ansible-inventory --version | sed -n 1p

mkdir project
cd project
printf '[defaults]\n' > none.cfg
printf '[defaults]\ninventory = db1,\n' > ansible.cfg
printf '#!/bin/sh\necho "was run: backup.sh $*" >> "%s/ran"\n' "$work" > backup.sh
chmod +x backup.sh
ANSIBLE_CONFIG=none.cfg timeout 60 ../env/bin/ansible-inventory -i db1, --graph > said 2> /dev/null
echo "-i db1, : $(grep -o -- '--db1' said || echo 'no db1'); programs: $(cat ../ran 2> /dev/null || echo none)"
[ ! -e ../ran ]
timeout 60 ../env/bin/ansible-inventory --graph > said 2> /dev/null
echo "inventory = db1, : $(grep -o -- '--db1' said || echo 'no db1'); programs: $(cat ../ran 2> /dev/null || echo none)"
[ -e ../ran ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
