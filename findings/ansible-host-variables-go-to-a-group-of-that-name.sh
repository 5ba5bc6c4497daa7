#!/bin/sh
# Guess:   what stands behind a host in an inventory is that host's; a group of the same name is only warned of.
# Seen:    it becomes the group's: every host of the group gets it, `ansible_host` too, and so Ansible connects to one
#          machine under the names of all. The warning is the same as where nothing is amiss, the exit code 0.
# Version: ansible-core 2.19.14 (Python 3.11); INI and YAML alike.
# Matters: a group `db` with a host `db` and, later, its replica is an everyday inventory. The job for the replica runs
#          on the primary, twice. Whoever reads inventories like Ansible has to choose: be the same, or be right.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3.11 -m venv env
env/bin/pip -qq --disable-pip-version-check install ansible-core==2.19.14
env/bin/ansible-inventory --version | sed -n 1p

printf '[db]\ndb ansible_host=10.0.0.1\nreplica\n' > hosts.ini
printf 'db:\n  hosts:\n    db: {ansible_host: 10.0.0.1}\n    replica:\n' > hosts.yml
for file in hosts.ini hosts.yml; do
    env/bin/ansible-inventory -i "$file" --host replica > said 2> warned
    echo "$file, host replica: $(tr -d ' \n' < said); $(grep -o 'Found both.*' warned)"
    [ "$(tr -d ' \n' < said)" = '{"ansible_host":"10.0.0.1"}' ] || {
        echo "CHANGED: it is not as the header says any more"
        exit 1
    }
done
