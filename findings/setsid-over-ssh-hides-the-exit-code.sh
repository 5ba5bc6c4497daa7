#!/bin/sh
# Guess:   `ssh HOST setsid COMMAND` waits for COMMAND and ends with its exit code, as `setsid COMMAND` does in a script.
# Seen:    it ends with 0 whatever COMMAND ends with. sshd starts the login shell as the leader of a session, and bash becomes the
#          last command of the line; setsid, a leader then, has to fork, and its parent ends with 0 at once. With anything
#          behind it, even `; exit $?`, bash stays and the exit code is right. So it is with dash as the login shell, which
#          stays anyway. A service manager that starts setsid itself, as a leader, sees the 0 too.
# Version: util-linux 2.38.1, OpenSSH 9.2p1, bash 5.2, dash 0.5.12 (Debian 12).
# Matters: jobs are put into a session of their own to outlive the login or to be ended as a whole. That they failed is lost, and
#          whoever waits for the process that was started believes them over while they run. `setsid --wait` is right in all places.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq openssh-client=1:9.2p1-2+deb12u10 openssh-server=1:9.2p1-2+deb12u10 util-linux=2.38.1-5+deb12u3 > /dev/null 2>&1
for package in *.deb; do dpkg-deb -x "$package" root; done
ssh=$work/root/usr/bin/ssh setsid=$work/root/usr/bin/setsid
"$ssh" -V 2>&1
"$setsid" --version | sed 's|.*/||'

# Root's sshd wants its directory and its user; for all others it serves themselves.
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
for key in host own; do ssh-keygen -q -t ed25519 -N '' -f "$key"; done
printf 'known %s\n' "$(cat host.pub)" > known
for shell in bash dash; do
    cat > "$shell.config" << END
HostKey $work/host
AuthorizedKeysFile $work/own.pub
StrictModes no
UsePAM no
ForceCommand exec $shell -c "\$SSH_ORIGINAL_COMMAND"
END
done
over_ssh() { # SHELL COMMAND: as to a user with that login shell
    "$ssh" -F none -i own -o BatchMode=yes -o IdentitiesOnly=yes -o HostKeyAlias=known -o UserKnownHostsFile="$work/known" \
        -o ProxyCommand="$work/root/usr/sbin/sshd -i -f $work/$1.config 2> /dev/null" host "$2" < /dev/null
}

# It says when it has run, which may be later than what ssh waits for.
printf '#!/bin/sh\n: > "%s/ran"\nexit 3\n' "$work" > job
chmod +x job
codes=
try() { # NAME COMMAND...
    name=$1
    shift
    "$@" && code=0 || code=$?
    until [ -e ran ]; do sleep 0.1; done
    rm ran
    echo "$name: exit code $code"
    codes="$codes $code"
}
try 'in a script' sh -c "$setsid $work/job; exit \$?"
try 'over ssh, bash' over_ssh bash "$setsid $work/job"
try 'over ssh, bash, as the last of two' over_ssh bash "cd / && $setsid $work/job"
try 'over ssh, bash, with something behind it' over_ssh bash "$setsid $work/job; exit \$?"
try 'over ssh, bash, with --wait' over_ssh bash "$setsid --wait $work/job"
try 'over ssh, dash' over_ssh dash "$setsid $work/job"
try 'started as a leader' "$setsid" --wait "$setsid" "$work/job"
[ "$codes" = " 3 0 0 3 3 3 0" ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
