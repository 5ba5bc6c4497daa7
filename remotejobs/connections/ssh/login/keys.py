"""What to log in with: private keys in files, the agent's, and the certificates for either."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from paramiko import ECDSAKey, Ed25519Key, Message, PKey, RSAKey, SSHException
from paramiko.ssh_exception import PasswordRequiredException

from remotejobs.connections.ssh.endpoint import Endpoint
from remotejobs.connections.ssh.host_keys.known_hosts import HostKey, parse_blob
from remotejobs.connections.ssh.login.agent import Agent, AgentFailed, AgentKey
from remotejobs.connections.ssh.login.certificates import SUFFIX, Certificate, NotValid, parse_certificate
from remotejobs.connections.ssh.login.public_half import lives_in_a_token, of_private, public_half
from remotejobs.connections.ssh.transport.algorithms import NothingLeft, chosen

USUAL = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ecdsa_sk", "id_ed25519_sk")
_RSA = ("rsa-sha2-512", "rsa-sha2-256")
_PLAIN = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", *_RSA)
_SECURITY = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
_ACCEPTED = (
    *(kind + SUFFIX for kind in _PLAIN),
    *(kind.removesuffix("@openssh.com") + SUFFIX for kind in _SECURITY),
    *_PLAIN,
    *_SECURITY,
)


class KeyUnusable(Exception):
    """A key file that cannot be used without a question."""


class Candidate:
    """Something to try, or (`usable` is False) why it cannot be. `label` is for messages."""

    def __init__(self, label: str, problem: str = "") -> None:
        self._label = label
        self.problem = problem

    @property
    def label(self) -> str:
        return f"{self._label} ({self.problem})" if self.problem else self._label

    @property
    def usable(self) -> bool:
        return False


class Identity(Candidate):
    """A key with what is shown of it, its certificate or itself. As much of a `PKey` as logging in needs.

    A signature that fails is given as an empty one, which the server refuses: an error here would end the connection.
    """

    def __init__(self, label: str, shown: HostKey) -> None:
        super().__init__(label)
        self.shown = shown
        self.public_blob = None

    @property
    def usable(self) -> bool:
        return True

    def get_name(self) -> str:
        return self.shown.kind

    def asbytes(self) -> bytes:
        return self.shown.blob

    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> bytes:
        name = algorithm or self.shown.kind
        try:
            return self._sign(data, name)
        except (AgentFailed, SSHException, ValueError) as exc:
            self.problem = f"it did not sign: {exc}"
            empty = Message()
            empty.add_string(name.removesuffix(SUFFIX))
            empty.add_string(b"")
            return empty.asbytes()

    def _sign(self, data: bytes, algorithm: str) -> bytes:
        raise NotImplementedError


class FileIdentity(Identity):
    """Signs with a private key that was read from a file."""

    def __init__(self, label: str, shown: HostKey, key: PKey) -> None:
        super().__init__(label, shown)
        self._key = key

    def _sign(self, data: bytes, algorithm: str) -> bytes:
        return self._key.sign_ssh_data(data, algorithm).asbytes()


class AgentIdentity(Identity):
    """Has the agent sign."""

    def __init__(self, label: str, shown: HostKey, held: HostKey, agent: Agent) -> None:
        super().__init__(label, shown)
        self._held = held
        self._agent = agent

    def _sign(self, data: bytes, algorithm: str) -> bytes:
        return self._agent.sign(self._held, data, algorithm)


def candidates(endpoint: Endpoint) -> Iterator[Candidate]:
    """What to try, in order: the configured files, the agent's other keys unless IdentitiesOnly, the usual files.

    A certificate comes before the key that it is for. Each login reads them anew where a file has changed.
    """
    try:
        accepted = chosen(endpoint.algorithms.public_keys, _ACCEPTED)
    except NothingLeft as exc:
        yield Candidate("PubkeyAcceptedAlgorithms", str(exc))
        return
    for one in _Gathering(endpoint).candidates():
        yield one if not isinstance(one, Identity) else _accepted(one, accepted, endpoint)


def _accepted(one: Identity, accepted: Sequence[str], endpoint: Endpoint) -> Candidate:
    kind = one.shown.kind
    plain, suffix = kind.removesuffix(SUFFIX), SUFFIX if kind.endswith(SUFFIX) else ""
    names = tuple(name + suffix for name in (_RSA if plain == "ssh-rsa" else (plain,)))
    if kind.startswith("ssh-rsa") and _rsa_bits(one.shown) < endpoint.algorithms.least_rsa_bits:
        return Candidate(one.label, f"RequiredRSASize wants {endpoint.algorithms.least_rsa_bits} bits")
    if not set(names) & set(accepted):
        return Candidate(one.label, f"{kind} is not among PubkeyAcceptedAlgorithms or cannot be used here")
    return one


class _Gathering:
    """The keys of one login."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._agent = Agent.of(endpoint.identity_agent)
        self._held: dict[bytes, AgentKey] = {}
        self._notes: list[Candidate] = []
        if self._agent is not None:
            try:
                self._held = {one.key.blob: one for one in self._agent.held()}
            except AgentFailed as exc:
                self._notes.append(Candidate(f"the agent at {self._agent.path}", str(exc)))
        self._certificates = [self._certificate_in(path) for path in endpoint.certificate_files]

    def candidates(self) -> Iterator[Candidate]:
        yield from self._notes
        for path in self._endpoint.identity_files:
            yield from self._from_file(path)
        if not self._endpoint.identities_only:
            yield from self._others_of_the_agent()
        if self._endpoint.usual_identities:
            home = Path("~/.ssh").expanduser()
            for path in (home / name for name in USUAL):
                if path.exists():
                    yield from self._from_file(path)

    def _others_of_the_agent(self) -> Iterator[Candidate]:
        assert self._agent is not None or not self._held
        held = sorted(self._held.values(), key=lambda one: SUFFIX not in one.key.kind)
        for one in held:
            assert self._agent is not None
            label = f"agent key {one.comment or one.key.fingerprint}"
            if (problem := _trouble(one.key)) is not None:
                yield Candidate(label, problem)
                continue
            yield from self._certified(label, one.key, None, one.key)
            yield AgentIdentity(label, one.key, one.key, self._agent)

    def _from_file(self, path: Path) -> Iterator[Candidate]:
        """The key of a file, or the agent's half of it when the file is encrypted or only a public key."""
        try:
            key = load_key(path)
        except KeyUnusable as exc:
            public = public_half(path)
            held = self._held.pop(public.blob, None) if public is not None else None
            if public is None or held is None or self._agent is None:
                yield Candidate(str(path), lives_in_a_token(public) or str(exc))
                return
            yield from self._certified(str(path), public, None, held.key, path)
            yield AgentIdentity(f"{path} by the agent", public, held.key, self._agent)
            return
        public = HostKey(key.get_name(), key.asbytes())
        self._held.pop(public.blob, None)
        yield from self._certified(str(path), public, key, None, path)
        yield FileIdentity(str(path), public, key)

    def _certified(
        self, label: str, public: HostKey, key: PKey | None, held: HostKey | None, path: Path | None = None
    ) -> Iterator[Candidate]:
        """The certificates for a key: those of CertificateFile, then the one beside its file."""
        beside = [] if path is None else [self._certificate_in(path.with_name(path.name + "-cert.pub"))]
        for where, found in (*self._certificates, *beside):
            name = f"{label} with {where}"
            if isinstance(found, Certificate) and found.key == public:
                if (problem := _trouble(HostKey(_kind_of(found.blob), found.blob))) is not None:
                    yield Candidate(name, problem)
                elif key is not None:
                    yield FileIdentity(name, HostKey(_kind_of(found.blob), found.blob), key)
                elif held is not None and self._agent is not None:
                    yield AgentIdentity(name, HostKey(_kind_of(found.blob), found.blob), held, self._agent)
            elif isinstance(found, Certificate) and (where, found) in beside:
                yield Candidate(name, "it is for another key")
            elif isinstance(found, str) and found:
                yield Candidate(name, found)

    @staticmethod
    def _certificate_in(path: Path) -> tuple[Path, Certificate | str]:
        """The certificate of a file, or why there is none; "" where there is no file beside a key."""
        try:
            word = path.read_text(errors="replace").split()[1]
        except FileNotFoundError:
            return path, "" if path.name.endswith("-cert.pub") else "no such file"
        except (OSError, IndexError) as exc:
            return path, f"cannot be read: {exc}"
        try:
            certificate = parse_certificate(parse_blob(word) or b"")
        except ValueError as exc:
            return path, str(exc)
        return path, certificate or "it is no certificate"


def _trouble(key: HostKey) -> str | None:
    """Why a certificate cannot help now; None for one that can, and for a plain key."""
    try:
        certificate = parse_certificate(key.blob)
        if certificate is not None:
            if certificate.is_host:
                return "its certificate is for a host"
            certificate.check_time()
    except NotValid as exc:
        return f"its certificate {exc}"
    except ValueError as exc:
        return str(exc)
    return None


def load_key(path: Path) -> PKey:
    """Parse a private key file, once as long as it does not change; `KeyUnusable` says why not."""
    try:
        return _parse(path, os.stat(path).st_mtime_ns)  # noqa: PTH116
    except FileNotFoundError as exc:
        raise KeyUnusable("no such file") from exc
    except OSError as exc:
        raise KeyUnusable(f"cannot be read: {exc.strerror}") from exc


@lru_cache(maxsize=256)
def _parse(path: Path, _changed: int) -> PKey:
    text = path.read_text(errors="replace")
    # paramiko takes what a file holds of an ECDSA key in a token for a private key.
    kinds = () if lives_in_a_token(of_private(text)) else (Ed25519Key, ECDSAKey, RSAKey)
    for kind in kinds:
        try:
            return kind.from_private_key(io.StringIO(text))
        except PasswordRequiredException as exc:
            raise KeyUnusable("encrypted, and not held by the agent") from exc
        except (SSHException, ValueError, IndexError, TypeError):
            continue
    raise KeyUnusable("not a private key of a known kind")


def _kind_of(blob: bytes) -> str:
    return Message(blob).get_text()


def _rsa_bits(key: HostKey) -> int:
    message = Message(key.blob)
    kind = message.get_text()
    if kind.endswith(SUFFIX):
        message.get_string()
    message.get_mpint()
    return message.get_mpint().bit_length()
