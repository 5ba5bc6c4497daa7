# shellcheck shell=sh
# Say one line ($2) to the unix socket $1 and print the answer, with whatever of the usual tools is there. HAProxy
# closes the connection after its answer, so the end of the answer is the end of the stream.

directory=${1%/*}
until [ -z "$directory" ] || [ -d "$directory" ]; do directory=${directory%/*}; done # the deepest that can be seen
if [ -n "$directory" ] && ! [ -x "$directory" ]; then
    echo "its user may not enter the directory $directory"
    exit 5
elif ! [ -e "$1" ]; then
    echo "there is no socket $1"
    exit 3
elif ! [ -S "$1" ]; then
    echo "$1 is no socket"
    exit 6
elif ! [ -w "$1" ]; then
    echo "its user may not write to the socket $1"
    exit 5
elif command -v socat >/dev/null; then
    printf '%s\n' "$2" | socat -t 15 - "UNIX-CONNECT:$1"
elif nc -h 2>&1 | grep -q -e '-U'; then # not every nc knows unix sockets
    printf '%s\n' "$2" | nc -U "$1"
elif command -v perl >/dev/null; then
    perl -MIO::Socket::UNIX -e '
        my $socket = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$ARGV[0]: $!\n";
        print $socket "$ARGV[1]\n";
        print while <$socket>;' "$1" "$2"
elif command -v python3 >/dev/null; then
    python3 -c '
import socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect(sys.argv[1])
link.sendall(sys.argv[2].encode() + b"\n")
for part in iter(lambda: link.recv(65536), b""):
    sys.stdout.buffer.write(part)' "$1" "$2"
else
    echo "none of socat, nc with -U, perl and python3 is there"
    exit 4
fi
