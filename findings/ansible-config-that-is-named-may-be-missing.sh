#!/bin/sh
# Guess:   a file that $ANSIBLE_CONFIG names has to be there; Ansible stops when it is not.
# Seen:    it goes on to the next place without a word: ./ansible.cfg, then ~/.ansible.cfg, then /etc/ansible/ansible.cfg, or
#          no settings at all. The exit code is 0, and not even `ansible-config dump` mentions the name.
# Version: ansible-core 2.19.14 (Python 3.11).
# Matters: a cron job or worker that names its settings with a typing error, or whose file was moved, logs in as another
#          user, and becomes somebody else on its hosts, for as long as nobody looks.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3.11 -m venv env
env/bin/pip -qq --disable-pip-version-check install ansible-core==2.19.14
env/bin/ansible-inventory --version | sed -n 1p

mkdir project
cd project
printf '[defaults]\nremote_user = deploy\n' > wanted.cfg
printf '[defaults]\nremote_user = root\n' > ansible.cfg
for file in wanted.cfg wantde.cfg; do
    ANSIBLE_CONFIG="$work/project/$file" timeout 60 ../env/bin/ansible-config dump --only-changed > said 2> warned
    sed -n 's/^DEFAULT_REMOTE_USER.*= //p' said > "user.$file"
    echo "$file: exit code $?; user $(cat "user.$file"); lines that name it: $(cat said warned | grep -c "$file" || true)"
done
if [ "$(cat user.wanted.cfg user.wantde.cfg | tr '\n' ' ')" != "deploy root " ] || cat said warned | grep -q wantde; then
    echo "CHANGED: it is not as the header says any more"
    exit 1
fi
