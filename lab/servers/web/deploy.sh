#!/bin/sh
# Bring another version of the lab's application to this host: swap the version, restart the server.
# usage: deploy.sh VERSION [SECONDS]     broken... fails before it touched anything, hang... never ends
set -eu
version=$1
cd "$(dirname "$0")"
echo "fetching version $version"
case $version in
broken*) echo "the archive of $version is damaged" >&2 && exit 3 ;;
hang*) exec sleep 100000 ;;
esac
sleep "${2:-0.5}"
echo "$version" >version.new
mv version.new version
echo "restarting"
# The process that started the server starts it again, as init would.
kill "$(cat pid)"
