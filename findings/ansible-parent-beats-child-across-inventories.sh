#!/bin/sh
# Guess:   the group_vars of a child group win over those of its parent, wherever they are.
# Seen:    not with two `-i`: all files beside the first inventory are read, parents and children, and then all beside the
#          second. A parent's file beside the second wins over the child's beside the first.
# Version: ansible-core 2.19.14 (Python 3.11).
# Matters: an inventory for all sites, given after that of one site, silently takes back what the site had set, port and
#          user included. The same two files in one directory give the other value.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3.11 -m venv env
env/bin/pip -qq --disable-pip-version-check install ansible-core==2.19.14
env/bin/ansible-inventory --version | sed -n 1p

mkdir -p site/group_vars all-sites/group_vars together/group_vars
printf '[berlin]\nb1\n[europe:children]\nberlin\n' | tee site/hosts > together/hosts
printf '[europe]\n' > all-sites/hosts
echo 'ansible_port: 2222' | tee site/group_vars/berlin.yml > together/group_vars/berlin.yml
echo 'ansible_port: 22' | tee all-sites/group_vars/europe.yml > together/group_vars/europe.yml
apart=$(env/bin/ansible-inventory -i site -i all-sites --host b1 | tr -d ' \n')
together=$(env/bin/ansible-inventory -i together --host b1 | tr -d ' \n')
echo "two inventories: $apart; one directory: $together"
[ "$apart" = '{"ansible_port":22}' ] && [ "$together" = '{"ansible_port":2222}' ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
