#!/bin/sh
# Guess:   ssh takes all of a user's files from one home directory.
# Seen:    it has two. `~/.ssh/config` itself, known_hosts and `~` in IdentityFile are those of the user database, whatever
#          HOME says. But `Include ~/...` and `Include FILE`, which the manual says lies in ~/.ssh, go by HOME.
# Version: OpenSSH 9.2p1 (Debian 12).
# Matters: with a HOME of somebody else's (`sudo -E`, `su` without `-`, a service's HOME, a container's), the same
#          ssh_config reaches another host with another key. Long jobs are started from just such places.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq openssh-client=1:9.2p1-2+deb12u10 > /dev/null 2>&1
dpkg-deb -x openssh-client_*.deb root
ssh=$work/root/usr/bin/ssh
"$ssh" -V 2>&1

mkdir -p other/.ssh
home=$(getent passwd "$(id -un)" | cut -d: -f6)
printf 'Port 2201\n' > other/.ssh/included
printf 'User by-tilde\n' > other/.ssh/by-tilde
printf 'Include included\nInclude ~/.ssh/by-tilde\nUserKnownHostsFile ~/known\n' > config
HOME=$work/other "$ssh" -G -F config host > said
grep -E '^(port|user|userknownhostsfile) ' said
grep -qx 'port 2201' said
grep -qx 'user by-tilde' said
grep -qx "userknownhostsfile $home/known" said
echo "Include follows HOME, and everything else does not"
