#!/bin/sh
# Guess:   Caddy changes its configuration gracefully ("zero downtime"): under load no request is lost by a change over its API.
# Seen:    at each change it opens its port anew beside the old listener (SO_REUSEPORT) and closes the old one. Connections that
#          the kernel had put into the old one's queue, and that nobody had accepted yet, are reset: about 1 % of new
#          connections at nearly 20 changes a second. With net.ipv4.tcp_migrate_req=1 the kernel hands them on: none, or one.
# Version: Caddy 2.6.2 (Debian 12), Linux 5.14 or later.
# Matters: who takes servers out of Caddy and puts them back during an update changes its configuration twice for each of them,
#          and loses requests that no server has ever seen. Nothing in Caddy's log tells.
set -eu
if [ -z "${1:-}" ]; then # what follows happens in a network of its own, where the setting disturbs nobody
    work=$(mktemp -d)
    chmod 755 "$work" # apt downloads as another user
    (cd "$work" && apt-get -qq download caddy=2.6.2-5 > /dev/null 2>&1)
    exec unshare -n "$0" "$work"
fi
ip link set lo up
work=$1
pid=
trap 'kill $pid 2> /dev/null || :; rm -rf "$work"' EXIT
cd "$work"
dpkg -x caddy_*.deb caddy
caddy=$work/caddy/usr/bin/caddy
export HOME="$work" XDG_CONFIG_HOME="$work" XDG_DATA_HOME="$work"
echo "Caddy $("$caddy" version)"

cat > caddy.json << 'EOT'
{"admin": {"listen": "127.0.0.1:2019"},
 "apps": {"http": {"servers": {"site": {
    "listen": ["127.0.0.1:8080"], "automatic_https": {"disable": true},
    "routes": [{"handle": [{"handler": "static_response", "body": "first"}]}]}}}}}
EOT
cat > load.py << 'EOT'
import json, socket, threading, time, urllib.request

SECONDS = 15
good, reset, over = [], [], threading.Event()


def ask() -> None:
    while not over.is_set():
        try:
            with socket.create_connection(("127.0.0.1", 8080), timeout=5) as link:
                link.sendall(b"GET / HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n")
                while link.recv(4096):
                    pass
            good.append(1)
        except ConnectionResetError:
            reset.append(1)
        time.sleep(0.002)


threads = [threading.Thread(target=ask) for _ in range(12)]
for thread in threads:
    thread.start()
changes, end = 0, time.monotonic() + SECONDS
where = "http://127.0.0.1:2019/config/apps/http/servers/site/routes/0/handle/0"
while time.monotonic() < end:
    body = json.dumps({"handler": "static_response", "body": f"change {changes}"}).encode()
    asked = urllib.request.Request(where, data=body, method="PATCH", headers={"Content-Type": "application/json"})
    urllib.request.urlopen(asked, timeout=10).read()
    changes += 1
    time.sleep(0.05)
over.set()
for thread in threads:
    thread.join()
print(changes, len(good), len(reset))
EOT

run() {
    sysctl -qw "net.ipv4.tcp_migrate_req=$1"
    "$caddy" run --config caddy.json > caddy.log 2>&1 &
    pid=$!
    until curl -sf http://127.0.0.1:2019/config/ > /dev/null; do sleep 0.1; done
    python3 load.py
    kill $pid
    wait $pid 2> /dev/null || :
}

echo "tcp_migrate_req, then changes, good requests, connections reset:"
without=$(run 0)
echo "0: $without"
with=$(run 1)
echo "1: $with"
if [ "${without##* }" -gt 10 ] && [ "$((${with##* } * 20))" -lt "${without##* }" ]; then
    echo "as described"
else
    echo "it has changed"
    exit 1
fi
