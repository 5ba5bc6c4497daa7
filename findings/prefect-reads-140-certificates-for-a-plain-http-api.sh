#!/bin/sh
# Guess:   a client for an API at http:// needs no certificates, and making one costs a millisecond.
# Seen:    each Prefect client, whatever its URL, reads all certificates of certifi anew: some 20 ms of CPU a client. With
#          PREFECT_API_SSL_CERT_FILE naming a file with one certificate it is under a millisecond.
# Version: Prefect 3.9.1, certifi 2026.10.19, Python 3.11, OpenSSL 3.0.
# Matters: the process of a flow run makes twenty such clients before it does anything, `prefect deploy --all` of twenty
#          deployments some hundred: half of its CPU. The server makes them too, for each action of an automation.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3.11 -m venv env
env/bin/pip -qq --disable-pip-version-check install prefect==3.9.1 certifi==2026.10.19.post1
export PREFECT_HOME="$work/home" PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1

cat > first.py << 'EOF'
import certifi

words = open(certifi.where()).read()
end = "-----END CERTIFICATE-----\n"
print(words[words.index("-----BEGIN") : words.index(end)] + end, end="")
EOF
env/bin/python first.py > one.pem

cat > cost.py << 'EOF'
import time

from prefect.client.orchestration import SyncPrefectClient

CLIENTS = 30
SyncPrefectClient("http://127.0.0.1:4200/api")
before = time.process_time()
for _ in range(CLIENTS):
    SyncPrefectClient("http://127.0.0.1:4200/api")
print((time.process_time() - before) / CLIENTS * 1000)
EOF
many=$(env/bin/python cost.py)
one=$(PREFECT_API_SSL_CERT_FILE="$work/one.pem" env/bin/python cost.py)
awk -v many="$many" -v one="$one" 'BEGIN {
    printf "CPU of a client for http://: %.1f ms; with a file of one certificate %.1f ms\n", many, one
    if (many < 5 * one) { print "CHANGED: it is not as the header says any more"; exit 1 }
}'
