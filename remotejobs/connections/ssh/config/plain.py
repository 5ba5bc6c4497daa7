"""The settings for one host from files that are plain: what OpenSSH would say, without asking it."""

from __future__ import annotations

from remotejobs.connections.ssh.config.blocks import BlockCondition, ConfigDocument, Criterion, Setting
from remotejobs.connections.ssh.config.patterns import matches_host, matches_list
from remotejobs.connections.ssh.config.settings import Gathering, HostSettings
from remotejobs.connections.ssh.config.tokens import host_name


def evaluate(document: ConfigDocument, name: str, options: tuple[Setting, ...], local_user: str) -> HostSettings:
    """`options` first, then the blocks that are for `name`; a second time where a line asks for the final names."""
    gathering = Gathering()
    gathering.take(options)
    _Pass(document, gathering, name, local_user).read(name)
    if document.wants_final:
        host = host_name(gathering.values.get("hostname", ("",))[0], name)
        gathering.values["hostname"] = (host.replace("%", "%%"),)
        gathering.places.setdefault("hostname", ())
        _Pass(document, gathering, name, local_user, final=True).read(host)
    return gathering.settings()


class _Pass:
    """One reading of all files."""

    def __init__(
        self, document: ConfigDocument, gathering: Gathering, name: str, local_user: str, *, final: bool = False
    ) -> None:
        self._document = document
        self._gathering = gathering
        self._name = name
        self._local_user = local_user
        self._final = final
        self._held: dict[int, bool] = {}

    def read(self, host: str) -> None:
        for block in self._document.blocks_for(host):
            if all(self._holds(condition, host) for condition in block.conditions):
                self._gathering.take(block.settings)

    def _holds(self, condition: BlockCondition, host: str) -> bool:
        """A condition holds or not from its line on, whatever is set later."""
        if id(condition) not in self._held:
            self._held[id(condition)] = (
                all(map(self._meets, condition.criteria)) if condition.criteria else condition.is_for(host)
            )
        return self._held[id(condition)]

    def _meets(self, criterion: Criterion) -> bool:
        return self._is(criterion) is not criterion.negated

    def _is(self, criterion: Criterion) -> bool:
        values, patterns = self._gathering.values, criterion.patterns
        match criterion.name:
            case "all":
                return True
            case "final" | "canonical":
                return self._final
            case "host":
                return matches_host(host_name(values.get("hostname", ("",))[0], self._name, lower=False), patterns)
            case "originalhost":
                return matches_host(self._name, patterns)
            case "user":
                return matches_list(values.get("user", (self._local_user,))[0], patterns)
            case _:
                return matches_list(self._local_user, patterns)
