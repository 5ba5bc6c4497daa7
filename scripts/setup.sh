#!/bin/sh
# Makes the checkout ready: system programs through apt, and .venv from requirements.lock.
# usage: scripts/setup.sh server|demo|all     (server: what a server or worker needs; demo: the lab; all: the tests as well)
# $PYTHON chooses the interpreter; otherwise the first python3 that is new enough. The system's comes first: built with
# profile-guided optimisation it imports Prefect a tenth faster than one that was built by default. $VENV is another place for .venv.
set -eu
cd "$(dirname "$0")/.."

venv=${VENV:-.venv}
stamp=$venv/.installed

say() { printf 'setup: %s\n' "$*"; }

die() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

find_python() {
    for python in ${PYTHON:+"$PYTHON"} /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    die "no Python 3.11 or newer was found." "Install one (Debian 12 or newer: apt-get install python3-venv), or set PYTHON to its path."
}

# A program and the package that brings it; a name with a slash is a file pattern.
programs() {
    [ "$1" != server ] || return 0
    cat << 'EOT'
sshd openssh-server
ssh-keygen openssh-client
/usr/lib/postgresql/*/bin/postgres postgresql
pg_dump postgresql-client
setpriv util-linux
tar tar
gzip gzip
age age
haproxy haproxy
EOT
    [ "$1" = demo ] || cat << 'EOT'
chromium chromium
redis-server redis-server
sqlite3 sqlite3
mariadbd mariadb-server-core
mariadb-dump mariadb-client
gpg gpg
gpg-agent gpg-agent
rclone rclone
borg borgbackup
restic restic
pgbackrest pgbackrest
jq jq
dropbear dropbear-bin
/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so openssh-tests
softhsm2-util softhsm2
krb5kdc krb5-kdc
kadmin.local krb5-admin-server
kinit krb5-user
dash dash
bash bash
busybox busybox
mksh mksh
yash yash
fish fish
tcsh tcsh
zsh zsh
groff groff-base
sudo sudo
ps procps
/usr/sbin/logrotate logrotate
git git
useradd passwd
socat socat
nginx nginx
caddy caddy
ss iproute2
flock util-linux
django-admin python3-django
/usr/lib/python3/dist-packages/psycopg2/_psycopg*.so python3-psycopg2
nc netcat-openbsd
perl perl-base
qemu-system-x86_64 qemu-system-x86
debootstrap debootstrap
mkfs.ext4 e2fsprogs
dpkg-deb dpkg
curl curl
wget wget
dnf dnf
rpm rpm
createrepo_c createrepo-c
EOT
}

present() {
    # shellcheck disable=SC2086 # a file pattern is meant to expand
    PATH=$PATH:/usr/sbin:/sbin command -v $1 > /dev/null && return
    # A library is no program.
    # shellcheck disable=SC2086 # as above
    case $1 in *.so) set -- $1 && [ -f "$1" ] ;; *) return 1 ;; esac
}

missing_packages() {
    programs "$1" | while read -r program package; do
        present "$program" || printf '%s ' "$package"
    done
    [ -x "$venv/bin/python" ] || "$python" -c 'import ensurepip, venv' 2>/dev/null || printf 'python3-venv '
}

install_packages() {
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root=sudo
        sudo -n true 2>/dev/null || as_root=none
    fi
    if [ "$as_root" = none ] || ! command -v apt-get > /dev/null; then
        die "these packages are missing: $*" \
            "Install them and run this again:  sudo apt-get install --no-install-recommends $*" \
            "(other systems than Debian: the packages that hold the same programs)"
    fi
    say "installing with apt: $*"
    # No lists, or lists too old to find the packages by: fetch them and try once more.
    apt_install "$@" > /dev/null 2>&1 || { $as_root apt-get update -qq && apt_install "$@"; }
}

apt_install() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" < /dev/null
}

install_python() {
    wanted=$(cat requirements.lock pyproject.toml scripts/setup.sh | cksum)
    case $(cat "$stamp" 2> /dev/null) in
        "$wanted") return 0 ;;
        "$wanted server") [ "$1" != server ] || return 0 ;;
    esac
    if ! [ -x "$venv/bin/python" ]; then
        say "making $venv with $("$python" -V) ($python)"
        "$python" -m venv "$venv"
    fi
    say "installing the packages of requirements.lock"
    pip="$venv/bin/python -m pip --disable-pip-version-check --no-input --quiet"
    # hatchling is locked too, so that nothing unpinned is fetched to build with.
    if [ "$1" = server ]; then
        wanted="$wanted server"
        $pip install --constraint requirements.lock hatchling
        $pip install --constraint requirements.lock --no-build-isolation --editable '.[server]'
    else
        $pip install --requirement requirements.lock
        $pip install --no-deps --no-build-isolation --editable .
    fi
    printf '%s\n' "$wanted" > "$stamp"
}

# The machine of tests/vm; without root it is built by sudo, or by the first test that needs it and says so.
build_machine() {
    [ "$(id -u)" -eq 0 ] || return 0
    "$python" -m lab.servers.vm.image || die "the image of the tests' virtual machine could not be built."
}

scope=${1:-all}
case $scope in server | demo | all) ;; *) die "unknown scope $scope: say server, demo or all." ;; esac
python=$(find_python)
packages=$(missing_packages "$scope")
# shellcheck disable=SC2086 # a list of words
[ -z "$packages" ] || install_packages $packages
[ -z "$packages" ] || [ -z "$(missing_packages "$scope")" ] || die "still missing after the installation: $(missing_packages "$scope")"
if [ "$scope" = all ]; then
    # It takes as long as the packages of Python, and needs none of them.
    build_machine &
    machine=$!
    install_python "$scope"
    wait "$machine"
else
    install_python "$scope"
fi
