#!/bin/sh
# Guess:   once nginx was reloaded with a server marked `down`, and its new workers serve, that server gets no new requests:
#          when its open connections have ended it can be stopped.
# Seen:    a worker from before the reload that has read part of a request goes on to read it, and sends it to a server by the
#          configuration that it began with: to the one that is down, however much later. Until then that server has no
#          connection at all. It looks drained.
# Version: nginx 1.22.1 (Debian 12).
# Matters: who drains by `down`, a reload and a count of connections stops a server that is still given requests. A slow upload
#          or a slow header is enough. Drained is a server when no worker is left whose title says `is shutting down`.
set -eu
work=$(mktemp -d)
trap 'kill $pids 2> /dev/null || :; rm -rf "$work"' EXIT
pids=
cd "$work"
chmod 755 . # apt downloads as another user
apt-get -qq download nginx=1.22.1-9+deb12u9 > /dev/null 2>&1
dpkg -x nginx_*.deb nginx
nginx=$work/nginx/usr/sbin/nginx
"$nginx" -v 2>&1

cat > nginx.conf << EOT
user $(id -un);
daemon off;
worker_processes 1;
pid $work/nginx.pid;
error_log $work/error.log;
events {}
http {
    access_log off;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    upstream app {
        server unix:$work/old.sock;
        server unix:$work/new.sock down;
    }
    server {
        listen unix:$work/site.sock;
        location / { proxy_pass http://app; }
    }
    server {
        listen unix:$work/old.sock;
        return 200 "old\n";
    }
    server {
        listen unix:$work/new.sock;
        return 200 "new\n";
    }
}
EOT
"$nginx" -e "$work/error.log" -c "$work/nginx.conf" &
pids=$!
until [ -S site.sock ] && [ -s nginx.pid ]; do sleep 0.1; done

ask() { curl -s -m 20 --unix-socket "$work/site.sock" http://site/ || :; }
leaving() { pgrep -c -P "$(cat nginx.pid)" -f 'worker process is shutting down' || :; }

echo "before the reload: $(ask)"
mkfifo slow
timeout 60 socat -t 10 - "UNIX-CONNECT:$work/site.sock" < slow > answer &
pids="$pids $!"
exec 3> slow
printf 'GET / HTTP/1.0\r\n' >&3 # a request that is not whole yet
sleep 1
sed -i '/^ *server unix/ { s/ down;/;/; t
s/;/ down;/ }' nginx.conf
"$nginx" -e "$work/error.log" -c "$work/nginx.conf" -s reload
until [ "$(ask)" = new ]; do sleep 0.1; done
sleep 2
echo "after the reload: $(ask); workers that are shutting down: $(leaving)"
printf '\r\n' >&3
tries=0
until [ -s answer ] || [ "$tries" = 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
said=$(tail -n 1 answer)
echo "the request that was being read: $said"
[ "$said" = old ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
