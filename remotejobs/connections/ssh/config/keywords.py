"""Every keyword of ssh_config: what its value may look like, and what becomes of it here.

`HONOURED` decides where and how to connect. `PASSED_OVER` concerns the program ssh, a terminal or a forwarding. A value
that is not of the form given here is left to OpenSSH to read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from remotejobs.connections.ssh.config.words import NotPlain, split_words

Form = Callable[[tuple[str, ...]], tuple[str, ...]]

_SWITCH = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
_TIME = re.compile(r"(?:(\d{1,8})([smhdwSMHDW]?))")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_INT_MAX = 2**31 - 1
_ALGORITHMS = re.compile(r"[+^-]?[A-Za-z0-9@.*?-]+(,[A-Za-z0-9@.*?-]+)*")
_JUMPS = re.compile(r"none|[A-Za-z0-9@._:%\[\]/,-]+", re.IGNORECASE)
_COMMAND = re.compile(r"""(?:[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff\\"']|"[^"\\\n]*"|'[^'\\\n]*')+""")
_OF_A_RELEASE = re.compile(r"%[Cj]")
_ADDRESS = re.compile(r"(?:(?:[A-Za-z0-9.-]+|\*):)?[1-9][0-9]{0,3}")
_HOST_NAME = re.compile(r"(?:[A-Za-z0-9._:-]|%h)+")


def _one(words: tuple[str, ...]) -> str:
    if len(words) != 1:
        raise NotPlain(f"{len(words)} values where one belongs")
    return words[0]


def _word(words: tuple[str, ...]) -> tuple[str, ...]:
    return (_one(words),)


def _words(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words:
        raise NotPlain("no value")
    return words


def _choice(**meanings: str) -> Form:
    """One of these words. `_` stands for a hyphen."""
    known = {word.replace("_", "-"): meaning for word, meaning in meanings.items()}

    def form(words: tuple[str, ...]) -> tuple[str, ...]:
        if (word := _one(words).lower()) not in known:
            raise NotPlain(f"the value {words[0]!r}")
        return (known[word],)

    return form


def _matching(pattern: re.Pattern[str]) -> Form:
    def form(words: tuple[str, ...]) -> tuple[str, ...]:
        if not pattern.fullmatch(_one(words)):
            raise NotPlain(f"the value {words[0]!r}")
        return words

    return form


def seconds(text: str) -> str:
    """OpenSSH's time (90, 1m, 1h30m) in seconds, or `none`."""
    if text == "none":
        return text
    found = list(_TIME.finditer(text))
    total = sum(int(match[1]) * _UNITS[match[2].lower()] for match in found)
    if not found or "".join(match[0] for match in found) != text or total > _INT_MAX:
        raise NotPlain(f"the time {text!r}")
    return str(total)


def _time(words: tuple[str, ...]) -> tuple[str, ...]:
    return (seconds(_one(words)),)


def _port(words: tuple[str, ...]) -> tuple[str, ...]:
    if not re.fullmatch(r"[1-9][0-9]{0,4}", word := _one(words)) or int(word) > 65535:
        raise NotPlain(f"the port {word!r}")
    return words


def _files(words: tuple[str, ...]) -> tuple[str, ...]:
    """Several files, or `none` alone."""
    if len(words) > 1 and any(word.lower() == "none" for word in words):
        raise NotPlain("`none` among other files")
    return _words(words)


def _host_name(words: tuple[str, ...]) -> tuple[str, ...]:
    if not _HOST_NAME.fullmatch(_one(words)):
        raise NotPlain(f"the name {words[0]!r}")
    return words


def _environment(words: tuple[str, ...]) -> tuple[str, ...]:
    if not all(re.fullmatch(r"[A-Za-z_*?][A-Za-z0-9_*?]*", word) for word in _words(words)):
        raise NotPlain("a name of the environment that may be a command")
    return words


def _settings(words: tuple[str, ...]) -> tuple[str, ...]:
    if not all("=" in word for word in _words(words)):
        raise NotPlain("SetEnv without a value")
    return words


def _nothing(words: tuple[str, ...]) -> tuple[str, ...]:
    return words


def _forward(words: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_ADDRESS.fullmatch(word) for word in _words(words)) or len(words) > 2:
        raise NotPlain("a forwarding of that form")
    return words


def _rekey(words: tuple[str, ...]) -> tuple[str, ...]:
    if not re.fullmatch(r"(default|[1-9][0-9]{0,3}[KMG])( none| [0-9]{1,6}[smh]?)?", " ".join(words)):
        raise NotPlain("the limit")
    return words


_FLAG: Form = _choice(**_SWITCH)
_CHECKING = _choice(yes="yes", true="yes", no="no", false="no", off="no", ask="ask", accept_new="accept-new")
_PUBKEY = _choice(yes="yes", true="yes", no="no", false="no", unbound="yes", host_bound="yes")
_ASK = _choice(yes="yes", true="yes", no="no", false="no", ask="ask")
_NUMBER = _matching(re.compile(r"[0-9]{1,8}"))
_NAMES = _matching(_ALGORITHMS)
# A comma is no part of a user's name in OpenSSH's own lists of users, and tokens in User are for newer ones alone.
_USER = _matching(re.compile(r"[^$%,]+"))
_METHODS = _matching(re.compile(r"[a-z0-9,.@-]+"))

# Their value is the rest of the line as it stands.
RAW = frozenset(["knownhostscommand", "localcommand", "proxycommand", "proxyjump", "remotecommand"])
ADDING = frozenset(["certificatefile", "identityfile"])
LISTS = frozenset(["globalknownhostsfile", "userknownhostsfile", "revokedhostkeys"])

HONOURED: Mapping[str, Form] = {
    "addressfamily": _choice(any="any", inet="inet", inet6="inet6"),
    "bindaddress": _word,
    "bindinterface": _word,
    "casignaturealgorithms": _NAMES,
    "certificatefile": _word,
    "checkhostip": _FLAG,
    "ciphers": _NAMES,
    "connecttimeout": _time,
    "globalknownhostsfile": _files,
    "hashknownhosts": _FLAG,
    "hostbasedauthentication": _FLAG,
    "hostkeyalgorithms": _NAMES,
    "hostkeyalias": _matching(re.compile(r"[^$%,\s]+")),
    "hostname": _host_name,
    "gssapiauthentication": _FLAG,
    "identitiesonly": _FLAG,
    "identityagent": _word,
    "identityfile": _word,
    "kbdinteractiveauthentication": _FLAG,
    "kexalgorithms": _NAMES,
    "knownhostscommand": _nothing,
    "macs": _NAMES,
    "nohostauthenticationforlocalhost": _FLAG,
    "passwordauthentication": _FLAG,
    "pkcs11provider": _word,
    "port": _port,
    "preferredauthentications": _METHODS,
    "proxycommand": _nothing,
    "proxyjump": _nothing,
    "proxyusefdpass": _FLAG,
    "pubkeyacceptedalgorithms": _NAMES,
    "pubkeyauthentication": _PUBKEY,
    "requiredrsasize": _NUMBER,
    "revokedhostkeys": _word,
    "securitykeyprovider": _word,
    "stricthostkeychecking": _CHECKING,
    "user": _USER,
    "userknownhostsfile": _files,
    "verifyhostkeydns": _ASK,
}

_PROPER = (
    "HostName Port User HostKeyAlias ProxyJump ProxyCommand ProxyUseFdpass IdentityFile CertificateFile IdentitiesOnly "
    "IdentityAgent PKCS11Provider SecurityKeyProvider PreferredAuthentications PubkeyAuthentication "
    "KbdInteractiveAuthentication PasswordAuthentication GSSAPIAuthentication HostbasedAuthentication "
    "StrictHostKeyChecking UserKnownHostsFile GlobalKnownHostsFile KnownHostsCommand RevokedHostKeys CheckHostIP "
    "VerifyHostKeyDNS NoHostAuthenticationForLocalhost HashKnownHosts HostKeyAlgorithms CASignatureAlgorithms "
    "PubkeyAcceptedAlgorithms RequiredRSASize KexAlgorithms Ciphers MACs ConnectTimeout AddressFamily BindAddress "
    "BindInterface"
)
# As the manual writes them, in the order in which they are shown.
PROPER_NAMES: Mapping[str, str] = {name.lower(): name for name in _PROPER.split()}

_FLAGS = (
    "batchmode canonicalizefallbacklocal clearallforwardings compression enablesshkeysign exitonforwardfailure "
    "forkafterauthentication forwardx11 forwardx11trusted gatewayports gssapidelegatecredentials gssapikeyexchange "
    "gssapirenewalforcesrekey gssapitrustdns permitlocalcommand stdinnull streamlocalbindunlink tcpkeepalive "
    "visualhostkey"
)
_NUMBERS = "canonicalizemaxdots connectionattempts numberofpasswordprompts serveralivecountmax"
_TIMES = "forwardx11timeout serveraliveinterval"
_TEXTS = (
    "controlpath escapechar forwardagent gssapiclientidentity gssapiserveridentity hostbasedacceptedalgorithms "
    "kbdinteractivedevices xauthlocation"
)
_OLD = (
    "afstokenpassing cipher compressionlevel fallbacktorsh globalknownhostsfile2 kerberosauthentication "
    "kerberostgtpassing protocol rhostsauthentication rhostsrsaauthentication rsaauthentication useprivilegedport "
    "userknownhostsfile2 useroaming usersh"
)
_LEVELS = _choice(
    **{word: word for word in ["quiet", "fatal", "error", "info", "verbose", "debug", "debug1", "debug2", "debug3"]}
)

PASSED_OVER: Mapping[str, Form] = {
    **dict.fromkeys(_FLAGS.split(), _FLAG),
    **dict.fromkeys(_NUMBERS.split(), _NUMBER),
    **dict.fromkeys(_TIMES.split(), _time),
    **dict.fromkeys(_TEXTS.split(), _matching(re.compile(r"[^$\s]+"))),
    "addkeystoagent": _choice(yes="yes", true="yes", no="no", false="no", ask="ask", confirm="confirm"),
    # `no` changes nothing; everything else means another name.
    "canonicalizehostname": _choice(no="no", false="no"),
    "controlmaster": _choice(yes="", true="", no="", false="", ask="", auto="", autoask=""),
    "controlpersist": _matching(re.compile(r"yes|no|true|false|[0-9]{1,8}[smhd]?")),
    "dynamicforward": _forward,
    "fingerprinthash": _choice(md5="", sha256=""),
    "gssapikexalgorithms": _NAMES,
    "ipqos": _choice(
        **dict.fromkeys(["lowdelay", "throughput", "reliability", "none", "ef", "cs0", "cs1", "af21"], "")
    ),
    "localcommand": _nothing,
    "localforward": _forward,
    "loglevel": _LEVELS,
    "rekeylimit": _rekey,
    "remotecommand": _nothing,
    "remoteforward": _forward,
    "requesttty": _choice(yes="", true="", no="", false="", force="", auto=""),
    "sendenv": _environment,
    "sessiontype": _choice(none="", subsystem="", default=""),
    "setenv": _settings,
    "tunnel": _choice(yes="", true="", no="", false=""),
    "updatehostkeys": _ASK,
    # OpenSSH takes note of them, and nothing comes of it.
    **dict.fromkeys(_OLD.split(), _words),
}

ALIASES: Mapping[str, str] = {
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "dsaauthentication": "pubkeyauthentication",
    "hostbasedkeytypes": "hostbasedacceptedalgorithms",
    "identityfile2": "identityfile",
    "keepalive": "tcpkeepalive",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
    "skeyauthentication": "kbdinteractiveauthentication",
    "smartcarddevice": "pkcs11provider",
    "tisauthentication": "kbdinteractiveauthentication",
}


def read_value(key: str, rest: str) -> tuple[tuple[str, ...], bool]:
    """The values of one setting in a common form, and whether a comment follows them.

    `NotPlain` for a keyword or a form that is not fully known.
    """
    form = HONOURED.get(key) or PASSED_OVER.get(key)
    if form is None:
        raise NotPlain(f"the keyword {key}")
    if key in RAW:
        if not _COMMAND.fullmatch(rest) or (key == "proxyjump" and not _JUMPS.fullmatch(rest)):
            raise NotPlain("a command with a backslash or an open quotation")
        return (rest,), False
    words, comment = split_words(rest)
    if key in HONOURED and _OF_A_RELEASE.search(rest):
        raise NotPlain("a token that is not the same in every release")
    # OpenSSH before 8.7 parts words at an equals sign too.
    if key != "setenv" and any("=" in word for word in words):
        raise NotPlain("an equals sign in a value")
    return form(words), comment
