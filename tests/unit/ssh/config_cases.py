"""ssh_config files that people have, each with a name. `PLAIN` ones are read without OpenSSH, for `OTHERS` it is asked.

`{here}` is the directory in which the files of `INCLUDED` lie.
"""

from __future__ import annotations

HOSTS = ("db1", "WEB1", "10.0.0.5")

INCLUDED = {
    "more": "Host db1\n  Port 2301\nHost *\n  User included\n",
    "conf.d/10-first": "Host web*\n  Port 2310\n",
    "conf.d/20-second": "Port 2320\nHost db1\n  User second\n",
    "conf.d/.hidden": "Port 2399\n",
    "with space/one": "User spaced\n",
    "crypto": "GSSAPIKeyExchange no\nCiphers aes256-gcm@openssh.com,aes128-ctr\nRequiredRSASize 2048\n",
    "final": "Match final all\n  Include {here}/crypto\n  GSSAPIAuthentication yes\n  ForwardX11Trusted yes\n",
    "nested": "Include {here}/more\nHost web1\n  User nested\n",
}

PLAIN = {
    "nothing": "",
    "comments and empty lines": "# one\n\n   # two\n\t\nPort 2200\n",
    "a comment after patterns": "Host web1 # twin of db1\n  Port 2201\nHost db1\n  Port 2202\n",
    "a comment after values": "Port 2203 # not 22\nUser me #nobody\nIdentityFile ~/.ssh/k #1\n",
    "a hash within a word": "IdentityFile ~/.ssh/key#1\nUser a#b\n",
    "what a distribution ships": "Match final all\n  GSSAPIAuthentication yes\n",
    "a whole crypto policy": "Include {here}/final\nHost db1\n  Port 2204\n",
    "the first wins": "Host db*\n  Port 2205\nHost *\n  Port 2206\n  User later\nHost db1\n  User never\n",
    "identity files add up": "Host db1\n  IdentityFile ~/one\nHost *\n  IdentityFile ~/two\n  IdentityFile ~/one\n",
    "no identity file": "Host db1\n  IdentityFile none\n",
    "certificates": "CertificateFile ~/.ssh/id-cert.pub\nIdentitiesOnly yes\nIdentityFile ~/.ssh/id\n",
    "negated patterns": "Host db* !db1\n  Port 2207\nHost * !web?\n  User somebody\n",
    "only negated": "Host !db1\n  Port 2208\n",
    "case of patterns": "Host WEB1\n  Port 2209\nHost web1\n  Port 2210\n",
    "question marks": "Host ?b1 w??1\n  Port 2211\n",
    "addresses": "Host 10.0.0.*\n  User ten\n",
    "equals signs": "Host=db1\n  Port=2212\n  User = me\nHost *\n  HostName=%h.example.com\n",
    "tabs and capitals": "HOST\tdb1\n\tPORT\t2213\n\tuser me\nhost *\n\tHostname 127.0.0.1\n",
    "carriage returns": "Host db1\r\n  Port 2214\r\n  User me\r\n",
    "quotation marks": 'Host "db1" "web1"\n  IdentityFile "~/.ssh/a key"\n  User "me"\n',
    "files with spaces": 'UserKnownHostsFile "~/a b" ~/c\nGlobalKnownHostsFile /etc/x /etc/y\n',
    "no known hosts": "UserKnownHostsFile none\nGlobalKnownHostsFile none\nStrictHostKeyChecking accept-new\n",
    "known hosts for each host": "UserKnownHostsFile ~/known/%h %d/by/%k-%n-%p-%r\nHostKeyAlias The-Alias\nPort 2215\n",
    "name with a token": "Host *.example.com\n  User whole\nHost db1 web1\n  HostName %h.example.com\n",
    "a percent sign": "IdentityFile ~/.ssh/100%%\nHostName %h\n",
    "match host sees the new name": "Host db1\n  HostName real.example.com\nMatch host real.example.com\n  Port 2216\n",
    "match originalhost": "Host db1\n  HostName real.example.com\nMatch originalhost db1,web1\n  Port 2217\n",
    "match host in any case": "Match host web1,DB1\n  Port 2218\n",
    "match user": "Host db1\n  User admin\nMatch user admin\n  Port 2219\nMatch user root !host db1\n  Port 2220\n",
    "match localuser": "Match localuser root,somebody\n  Port 2221\nMatch localuser nobody\n  Port 2222\n",
    "match negated": "Match !host db1\n  Port 2223\nMatch host db*,!db1 user *\n  User other\n",
    "match all": "Host db1\n  Port 2224\nMatch all\n  Port 2225\n  User me\n",
    "match twice": "Match host db1\n  User me\nMatch host db1 user me\n  Port 2226\n",
    "match final host": "Host db1\n  HostName web1\nHost web1\n  Port 2227\nMatch final host web1\n  User last\n",
    "match not final": "Match !final all\n  Port 2228\n".replace(" all", " host *"),
    "match not final beside canonical": "Match canonical\n  Port 2229\nMatch !final host other\n  User me\n",
    "match canonical": "Match canonical all\n  Port 2229\n",
    "an inclusion at the top": "Include {here}/more\nPort 2230\n",
    "hosts included within a host": "Host db1\n  Include {here}/more\n  Port 2231\nHost web1\n  Include {here}/more\n",
    "an inclusion within a match": "Match host web1\n  Include {here}/nested\n  Port 2232\n",
    "included in order": "Include {here}/conf.d/*\n",
    "a quoted inclusion": 'Include "{here}/with space/one"\nPort 2233\n',
    "nothing to include": "Include {here}/missing {here}/none*\nPort 2234\n",
    "several inclusions": "Include {here}/conf.d/10-first {here}/more\n",
    "a jump": "Host db1\n  ProxyJump gate\nHost web*\n  ProxyJump me@outer:2235,[::1]:22\n",
    "no jump": "Host db1\n  ProxyJump none\nHost *\n  ProxyJump gate\n",
    "no command": "Host db1\n  ProxyCommand none\nHost *\n  ProxyJump gate\n",
    "a command": "ProxyCommand sh -c 'exec nc \"$1\" %p' - %h\n",
    "times": "Host db1\n  ConnectTimeout 1m\nHost web1\n  ConnectTimeout 1h30M5\nHost *\n  ConnectTimeout none\n",
    "this machine": "NoHostAuthenticationForLocalhost yes\n",
    "switches": "Host db1\n  PubkeyAuthentication no\n  PasswordAuthentication FALSE\nHost *\n  CheckHostIP yes\n",
    "methods": "PreferredAuthentications password,publickey\nKbdInteractiveAuthentication no\nDSAAuthentication no\n",
    "algorithms": "HostKeyAlgorithms ssh-ed25519,rsa-sha2-512\nKexAlgorithms curve25519-sha256\nMACs hmac-sha2-256\n",
    "old names": "ChallengeResponseAuthentication no\nPubkeyAcceptedKeyTypes ssh-ed25519\nKeepAlive yes\nProtocol 2\n",
    "revoked keys": "RevokedHostKeys /etc/ssh/revoked\nVerifyHostKeyDNS ask\nHashKnownHosts yes\n",
    "addresses of ours": "AddressFamily inet\nBindAddress 127.0.0.1\nBindInterface lo\n",
    "ignored keywords": "IgnoreUnknown UseKeychain,Foo*\nHost *\n  UseKeychain yes\n  FooBar x y z\n  Port 2236\n",
    "passed over": "SendEnv LANG LC_*\nSetEnv A=b\nLocalForward 80 db:80\nRekeyLimit 1G 1h\nRemoteCommand tmux a\n",
}

# For generated files, one a line.
LINES = """
Port 2201
Port=2202 # a comment
  User me
User root
\tUser "some body"
HostName web1
HostName %h.example.com
hostname 10.0.0.7
IdentityFile ~/one
IdentityFile "~/t w o"
IdentityFile none
ProxyJump gate
ProxyJump me@[::1]:22,inner
ProxyCommand nc %h %p # x
HostKeyAlias Alias
UserKnownHostsFile ~/k/%h ~/k/%k
UserKnownHostsFile none
ConnectTimeout 1m30
StrictHostKeyChecking off
PubkeyAuthentication no
CertificateFile ~/c-%r-cert.pub
CheckHostIP yes
# Port 1
SendEnv LC_*
Include {here}/more
Include {here}/conf.d/*
Include {here}/final
IdentitiesOnly yes
"""

OTHERS = {
    "tags": "Match tagged staging\n  Port 2301\nHost db1\n  HostName 127.0.0.1\n  Port 2302\n",
    "local networks": "Match localnetwork 127.0.0.0/8\n  Port 2303\n",
    "a negated command": 'Match !exec "false"\n  Port 2304\n',
    "commands": 'Match exec "test %h = db1"\n  Port 2305\n',
    "match with equals signs": "Match host=db1\n  Port 2306\n",
    "canonical names without domains": "CanonicalizeHostname yes\nHost db1\n  Port 2307\n",
    "canonical names": "CanonicalizeHostname yes\nCanonicalDomains invalid\nHost db1\n  HostName 127.0.0.1\n",
    "no jump, but a command": "Host db1\n  ProxyJump none\nHost *\n  ProxyCommand nc %h %p\n",
    "apostrophes": "IdentityFile '~/.ssh/a key'\n",
    "backslashes": 'IdentityFile ~/.ssh/a\\ key\nUser "CORP\\\\svc"\n',
    "a service for a port": "Port ssh\n",
    "a domain and user": "Host db1\n  User CORP\\svc\nMatch user CORP\\svc\n  Port 2308\n",
    "ignored for some": "Host db1\n  IgnoreUnknown Foo\nHost *\n  Port 2309\n",
    "classes of signs": "Include {here}/conf.d/[12]0*\n",
    "known hosts by hash": "UserKnownHostsFile ~/known/%C\n",
    "all after another": "Match host db1 all\n  Port 2310\n",
    "an unknown keyword": "Host web1\n  Nonsense 1\n",
    "a keyword without a value": "Port\n",
    "a bad port": "Host nobody\n  Port 0\n",
    "a bad switch": "Host nobody\n  IdentitiesOnly perhaps\n",
    "an open quotation": 'User "me\n',
    "too many values": "Port 22 23\n",
    "match without a criterion": "Match\n  Port 22\n",
    "match user without a name": "Match user\n  Port 22\n",
}
