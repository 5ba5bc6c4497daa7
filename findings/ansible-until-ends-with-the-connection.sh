#!/bin/sh
# Guess:   `until` with `retries` polls a job through an outage: a try that does not reach the host is a try that failed.
# Seen:    the first UNREACHABLE ends the host's play, with no retry, whatever `until` and `retries` say; `ignore_unreachable`
#          goes on behind the task (exit code 0), and does not try it again either. A command that fails is tried four times.
#          Only ansible_ssh_retries tries to connect again, by pauses of 0, 1, 3, ... 30 s, at each poll.
# Version: ansible-core 2.19.14 (Python 3.11).
# Matters: `async` with `poll: 0`, then async_status with `until`, is how Ansible waits for jobs of hours. The job outlives a
#          reboot of a switch; the play that waits for it does not, and nobody collects the result or removes its file.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3.11 -m venv env
env/bin/pip -qq --disable-pip-version-check install ansible-core==2.19.14
export ANSIBLE_HOME="$work/home" ANSIBLE_LOCAL_TEMP="$work/home/tmp" ANSIBLE_REMOTE_TEMP="$work/home/tmp" ANSIBLE_NOCOLOR=1
env/bin/ansible-playbook --version | sed -n 1p

# An ssh that says when it was called, and reaches nobody.
cat > ssh << END
#!/bin/sh
echo called >> "$work/calls"
echo "ssh: connect to host db1 port 22: Connection timed out" >&2
exit 255
END
chmod +x ssh
cat > play.yml << 'END'
- hosts: all
  gather_facts: false
  tasks:
    - name: poll
      raw: "echo called >> calls; exit 1"
      register: job
      until: job.rc == 0
      retries: 3
      delay: 0
      ignore_unreachable: "{{ ignore }}"
END
try() { # NAME IGNORE OPTION...
    name=$1 ignore=$2
    shift 2
    : > calls
    env/bin/ansible-playbook -i db1, -e "ignore=$ignore" "$@" play.yml > said 2>&1 && code=0 || code=$?
    echo "$name: exit code $code, tries: $(wc -l < calls)"
    tries="$tries $(wc -l < calls)"
}
tries=
try 'a command that fails' no -e ansible_connection=local
try 'a host that is not reached' no -e "ansible_ssh_executable=$work/ssh"
try 'the same with ignore_unreachable' yes -e "ansible_ssh_executable=$work/ssh"
try 'the same with ansible_ssh_retries=2' no -e "ansible_ssh_executable=$work/ssh" -e ansible_ssh_retries=2
[ "$tries" = " 4 1 1 3" ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
