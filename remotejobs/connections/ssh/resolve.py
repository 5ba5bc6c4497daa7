"""From a host's variables and ssh_config to an `Endpoint`, without touching the network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from remotejobs.connections.connect import transport_of
from remotejobs.connections.ssh.config.arguments import Arguments, Option, arguments_of
from remotejobs.connections.ssh.config.jumps import Jump, parse_jumps
from remotejobs.connections.ssh.config.lookup import lookup
from remotejobs.connections.ssh.config.settings import HostSettings
from remotejobs.connections.ssh.config.tokens import TokenValues, expand, expand_proxy, host_name, local_user
from remotejobs.connections.ssh.endpoint import (
    CONNECT_TIMEOUT,
    LEAST_RSA_BITS,
    METHODS,
    SSH_PORT,
    Algorithms,
    Endpoint,
    HostKeyPolicy,
    check_address,
    check_user,
)
from remotejobs.errors import UsageError
from remotejobs.inventory.variables import HostLike, text

MOST_JUMPS = 8
SUGGESTED = "Set remotejobs_transport: openssh"
KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
GLOBAL_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
POLICIES = {
    "yes": HostKeyPolicy.STRICT,
    "ask": HostKeyPolicy.STRICT,
    "accept-new": HostKeyPolicy.ACCEPT_NEW,
    "no": HostKeyPolicy.OFF,
}
# In OpenSSH's order; the first two cannot be tried here.
_PREFERRED = ("gssapi-with-mic", "hostbased", *METHODS)
_SWITCH_OF = {
    "gssapi-with-mic": ("gssapiauthentication", False),
    "hostbased": ("hostbasedauthentication", False),
    "publickey": ("pubkeyauthentication", True),
    "keyboard-interactive": ("kbdinteractiveauthentication", True),
    "password": ("passwordauthentication", True),
}


def resolve(host: HostLike) -> Endpoint:
    """How to reach `host`, as Ansible and OpenSSH would; `UsageError` names what cannot be honoured, and where."""
    arguments = arguments_of(host)
    password = text(host, "ansible_password", "ansible_ssh_pass", "ansible_ssh_password") or None
    by_paramiko = transport_of(host) == "paramiko"
    return replace(_endpoint(host.name, asked_name(host), arguments, MOST_JUMPS, by_paramiko), password=password)


def asked_name(host: HostLike) -> str:
    """The name that ssh_config is asked for."""
    return text(host, "ansible_host", "ansible_ssh_host") or host.name


def _endpoint(host: str, name: str, arguments: Arguments, jumps_left: int, by_paramiko: bool) -> Endpoint:
    check_address(host, name)
    reading = _HopSettings(host, name, lookup(name, arguments.options, arguments.config).settings)
    if by_paramiko:
        reading.refuse_what_paramiko_cannot()
    jumps = parse_jumps(reading.settings.get("proxyjump"), host)
    return replace(reading.endpoint(), via=_via(host, jumps, arguments.config, jumps_left, by_paramiko))


class _HopSettings:
    """The settings of one hop, with everything filled in."""

    def __init__(self, host: str, name: str, settings: HostSettings) -> None:
        local = local_user()
        self._host = host
        self.settings = settings
        address = host_name(settings.get("hostname"), name)
        user = settings.get("user") or local.pw_name
        check_address(host, address)
        check_user(host, user)
        self._names = TokenValues(
            asked=name,
            host=address,
            port=int(settings.get("port") or SSH_PORT),
            user=user,
            alias=settings.get("hostkeyalias").lower(),
            home=str(Path.home()),
            local=local,
        )

    def endpoint(self) -> Endpoint:
        """All but the jump hosts."""
        settings, names = self.settings, self._names
        methods = tuple(self._methods())
        return Endpoint(
            host=self._host,
            address=names.host,
            port=names.port,
            user=names.user,
            identity_files=self._files("identityfile"),
            usual_identities=not settings.all("identityfile"),
            certificate_files=self._files("certificatefile"),
            identities_only=settings.says("identitiesonly", default=False),
            identity_agent=self._agent(),
            methods=tuple(method for method in methods if method in METHODS),
            untried=tuple(method for method in methods if method not in METHODS),
            algorithms=self._algorithms(),
            proxy_command=self._proxy_command(),
            known_hosts=self._files("userknownhostsfile", KNOWN_HOSTS),
            global_known_hosts=self._files("globalknownhostsfile", GLOBAL_KNOWN_HOSTS),
            known_hosts_command=self._text("knownhostscommand"),
            revoked_host_keys=next(iter(self._files("revokedhostkeys")), None),
            host_key_alias=names.alias,
            asked_as=names.asked,
            names=names,
            asks_dns=settings.get("verifyhostkeydns") in ("yes", "ask"),
            checks_address=settings.says("checkhostip", default=False),
            trusts_localhost=settings.says("nohostauthenticationforlocalhost", default=False),
            hashes_known_hosts=settings.says("hashknownhosts", default=False),
            address_family=settings.get("addressfamily") or "any",
            bind_address=settings.get("bindaddress"),
            bind_interface=settings.get("bindinterface"),
            host_keys=POLICIES[settings.get("stricthostkeychecking") or "ask"],
            connect_timeout=self._connect_timeout(),
        )

    def _files(self, key: str, usual: tuple[str, ...] = ()) -> tuple[Path, ...]:
        words = self.settings.all(key) or usual
        return tuple(Path(expand(word, self._names, key)) for word in words if word.lower() != "none")

    def _text(self, key: str) -> str:
        """A value whose tokens are filled in later; "" for none."""
        value = self.settings.get(key)
        return "" if value.lower() == "none" else value

    def _agent(self) -> str:
        value = self.settings.get("identityagent")
        if value in ("", "SSH_AUTH_SOCK"):
            return ""
        if value.startswith("$") and not value.startswith("${"):
            return os.environ.get(value[1:], "none")
        return "none" if value.lower() == "none" else expand(value, self._names, "IdentityAgent")

    def _proxy_command(self) -> str:
        command = self._text("proxycommand")
        return expand_proxy(command, self._names) if command else ""

    def _connect_timeout(self) -> float:
        value = self.settings.get("connecttimeout")
        return CONNECT_TIMEOUT if value in ("", "none", "0") else float(value)

    def _methods(self) -> Iterator[str]:
        preferred = self.settings.get("preferredauthentications")
        for method in preferred.split(",") if preferred else _PREFERRED:
            key, usual = _SWITCH_OF.get(method, ("", False))
            if key and self.settings.says(key, default=usual):
                yield method

    def _algorithms(self) -> Algorithms:
        get = self.settings.get
        return Algorithms(
            kex=get("kexalgorithms"),
            ciphers=get("ciphers"),
            macs=get("macs"),
            host_keys=get("hostkeyalgorithms"),
            public_keys=get("pubkeyacceptedalgorithms"),
            authorities=get("casignaturealgorithms"),
            least_rsa_bits=max(int(get("requiredrsasize") or LEAST_RSA_BITS), LEAST_RSA_BITS),
        )

    def refuse_what_paramiko_cannot(self) -> None:
        """`UsageError` names the option and its place."""
        if self._text("pkcs11provider"):
            raise self._refused("pkcs11provider", "PKCS11Provider")
        if self.settings.says("proxyusefdpass", default=False) and self._text("proxycommand"):
            raise self._refused("proxyusefdpass", "ProxyUseFdpass")

    def _refused(self, key: str, name: str) -> UsageError:
        place = " and ".join(self.settings.places.get(key, ()))
        return UsageError(
            f"{self._host}: {name} ({place}) cannot be honoured by paramiko", remedy=f"{SUGGESTED}, or take it out."
        )


def _via(host: str, jumps: tuple[Jump, ...], config: str, jumps_left: int, by_paramiko: bool) -> tuple[Endpoint, ...]:
    """The whole way through the jump hosts. As with OpenSSH, they get the -F of the command line and nothing else."""
    if len(jumps) > jumps_left:
        raise UsageError(
            f"{host}: ProxyJump needs more than {MOST_JUMPS} hops", remedy="Look for a circle in ssh_config."
        )
    way: tuple[Endpoint, ...] = ()
    for jump in jumps:
        place = f"{host}: ProxyJump"
        said = [("user", jump.user), ("port", jump.port), ("proxyjump", "none" if way else "")]
        options = tuple(Option(key, value, place) for key, value in said if value)
        hop = _endpoint(host, jump.name, Arguments(options, config), jumps_left - len(jumps), by_paramiko)
        way = (*way, *hop.via, replace(hop, via=()))
    return way
