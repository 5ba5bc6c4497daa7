#!/bin/sh
# Guess:   `ssh -M -N HOST` opens the connection that `ssh HOST COMMAND` would open, so commands over its socket (-S) run
#          on the same host as without one.
# Seen:    from OpenSSH 10.0 on, blocks of `Match sessiontype` and `Match command` count for one and not for the other: the
#          master has the session type none and no command. The ssh that is given its socket has the other host in its
#          settings, but a socket leads to where its master is connected, and nothing is said of the difference.
# Version: OpenSSH 10.0p2 (backports of Debian 12).
# Matters: whoever opens one master for many short commands (as most tools do that start and poll long jobs) may start
#          them on another host than a person who types the command.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p lists/partial cache/archives/partial
cat > apt.conf <<X
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
APT::Sandbox::User "root";
X
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm-backports main" > sources.list
export APT_CONFIG="$work/apt.conf"
apt-get update -qq > /dev/null 2>&1
apt-get download -qq openssh-client=1:10.0p1-7~bpo12+1 > /dev/null 2>&1
dpkg-deb -x openssh-client_*.deb root
ssh=$work/root/usr/bin/ssh
"$ssh" -V 2>&1

printf 'Match host db1 sessiontype exec\n  HostName 192.0.2.1\nMatch host db1\n  HostName 192.0.2.2\n' > config
where() { "$ssh" -G -F config "$@" < /dev/null 2> /dev/null | sed -n 's/^hostname //p'; }
master=$(where -M -S "$work/socket" -N db1)
command=$(where db1 uptime)
over_it=$(where -S "$work/socket" db1 uptime)
echo "the master connects to $master; the command alone goes to $command, and with the socket ssh says $over_it too"
[ "$master $command $over_it" = "192.0.2.2 192.0.2.1 192.0.2.1" ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
