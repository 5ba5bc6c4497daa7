"""The same `sleep 5` on the same real sshd by this project and by its peers, in one run; and OpenSSH as the floor.

    python -m bench.peers [--before COMMIT] [--hosts 50] [--runs 3] [--write]

pyinfra and parallel-ssh are installed into a virtual environment of their own, which is thrown away. They hold a
session open for as long as the command runs: nothing is detached, no record is kept, no limit holds. Ansible's async is
what does the same as this project. OpenSSH's own client with ControlMaster does the least that could be done: log in
once, start a bare `setsid sleep`, and ask once more over the same connection when it must have ended.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.documents import machine, put, save, say, table
from bench.earlier import comparison_parser, trees_beside
from bench.engine import SLEEP, ansible, hosts, ours, timed_ansible
from bench.measure import Timing, timed
from remotejobs.inventory import load_inventory
from remotejobs.inventory.variables import text

BEFORE = "2bc6718"  # the last build in which start and look were two exchanges
PEERS = ("pyinfra==3.10.0", "parallel-ssh==2.16.0.post1")
CURVE = "curve25519-sha256"
LOOP = Path(__file__).with_name("playbooks") / "async_status.yml"
PARALLEL_SSH = """
import json, sys
from pssh.clients import ParallelSSHClient
from pssh.config import HostConfig
given = json.loads(sys.argv[1])
config = [HostConfig(port=port, user="root", private_key=given["key"]) for port in given["ports"]]
client = ParallelSSHClient(["127.0.0.1"] * len(config), host_config=config, pool_size=len(config))
output = client.run_command(given["command"])
client.join(output)
assert all(one.exit_code == 0 for one in output), output
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """How long one of them took, and what it left out beside this project."""

    name: str
    timing: Timing
    without: str


def measured(count: int, runs: int, before: str) -> Iterator[Peer]:
    with environment() as programs, trees_beside(before, "before") as trees, hosts(count) as inventory:
        for name, tree in reversed(trees.items()):  # the ratios are over the first
            say(f"this project, {name}")
            ours(inventory, 1, 1, tree)  # warm caches
            yield Peer(f"this project, {name}, `-B 60 -P 1`", ours(inventory, 1, runs, tree), "")
        floor = "record, limit, proof; the CPU time of its masters is not seen"
        for name, kex in {"": "", f", {CURVE}": CURVE}.items():
            say(f"OpenSSH with ControlMaster{name}")
            yield Peer(f"OpenSSH with ControlMaster{name}", control_master(inventory, runs, kex), floor)
        say("parallel-ssh")
        yield Peer(_named("parallel-ssh"), parallel_ssh(inventory, programs, runs), "detaching")
        say("pyinfra")
        yield Peer(_named("pyinfra"), pyinfra(inventory, programs, runs), "detaching")
        say("Ansible")
        name = f"ansible-core {version('ansible-core')}"
        lacks = "proof, kill of the tree"
        yield Peer(f"{name}, `-B 60 -P 1 -f {count}`", ansible(inventory, count), lacks)
        say("Ansible, a loop of async_status")
        words = ["-e", f"seconds={SLEEP}", str(LOOP)]
        loop = timed_ansible("ansible-playbook", inventory, count, words)
        yield Peer(f"{name}, `poll: 0` and a loop of `async_status`, {count} forks", loop, lacks)


@contextmanager
def environment() -> Iterator[Path]:
    """The programs of an environment with the peers in it."""
    with TemporaryDirectory(prefix="rj-peers-") as name:
        say(f"installing {', '.join(PEERS)}")
        subprocess.run([sys.executable, "-m", "venv", name], check=True)
        pip = [f"{name}/bin/pip", "install", "--quiet", "--disable-pip-version-check", *PEERS]
        subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
        yield Path(name) / "bin"


def parallel_ssh(inventory: Path, programs: Path, runs: int) -> Timing:
    key = str(inventory.with_name("id_ed25519"))
    given = {"ports": [int(port) for port in ports(inventory)], "key": key, "command": f"sleep {SLEEP}"}
    return timed([[str(programs / "python"), "-c", PARALLEL_SSH, json.dumps(given)]] * runs, check=False)


def pyinfra(inventory: Path, programs: Path, runs: int) -> Timing:
    """Each host is a name of its own for the same address, as it knows hosts by their names."""
    directory = inventory.parent
    data = {
        "ssh_hostname": "127.0.0.1",
        "ssh_user": "root",
        "ssh_key": str(directory / "id_ed25519"),
        "ssh_known_hosts_file": str(directory / "known_hosts"),
        "ssh_strict_host_key_checking": "no",
    }
    listed = [(f"h{number}", {**data, "ssh_port": int(port)}) for number, port in enumerate(ports(inventory))]
    (directory / "peers.py").write_text(f"every = {listed!r}\n")
    words = [str(programs / "pyinfra"), "-y", "--parallel", str(len(listed)), str(directory / "peers.py")]
    return timed([[*words, "exec", "--", "sleep", str(SLEEP)]] * runs, check=False)


def control_master(inventory: Path, runs: int, kex: str = "") -> Timing:
    """Two calls of ssh for each host: one that logs in and starts, one that asks afterwards; all hosts side by side.

    OpenSSH's own first key exchange, sntrup761, takes most of its CPU; `kex` names another.
    """
    directory = inventory.parent
    options = ["-n", "-i", directory / "id_ed25519", "-o", "BatchMode=yes"]
    options += ["-o", f"UserKnownHostsFile={directory / 'known_hosts'}"]
    options += ["-o", "ControlMaster=auto", "-o", f"ControlPath={directory}/m-%p", "-o", "ControlPersist=20"]
    options += ["-o", f"KexAlgorithms={kex}"] if kex else []
    ssh = shlex.join(["ssh", *map(str, options)])
    begin = f"setsid sleep {SLEEP} >/dev/null 2>&1 & echo $!"
    each = [
        f"{{ pid=$({ssh} -p {port} 127.0.0.1 {shlex.quote(begin)}) && sleep {SLEEP} && "
        f'{ssh} -p {port} 127.0.0.1 "while kill -0 $pid 2>/dev/null; do sleep 0.1; done"; }} & all="$all $!"'
        for port in ports(inventory)
    ]
    close = [f"{ssh} -p {port} -O exit 127.0.0.1 2>/dev/null" for port in ports(inventory)]
    script = ["all=", *each, "for one in $all; do wait $one || exit 1; done"]

    def log_out() -> None:
        subprocess.run(["sh", "-c", "\n".join(close)], check=False, stderr=subprocess.DEVNULL)

    return timed([["sh", "-c", "\n".join(script)]] * runs, check=False, after=log_out)


def ports(inventory: Path) -> list[str]:
    return [text(host, "ansible_port") for host in load_inventory(inventory).hosts.values()]


def peers_table(rows: list[Peer]) -> str:
    """Against this project, which comes first."""
    own = rows[0].timing
    cells = [
        (
            row.name,
            str(row.timing),
            f"{row.timing.wall / own.wall:.2f}",
            f"{(row.timing.wall - SLEEP) / (own.wall - SLEEP):.1f}",
            f"{row.timing.cpu:.2f} s",
            f"{row.timing.cpu / own.cpu:.1f}",
            f"{row.timing.memory:.0f} MiB",
            row.without,
        )
        for row in rows
    ]
    head = ["by", "wall time", "over ours", "over the sleep, over ours", "controller CPU", "over ours"]
    return table([*head, "peak memory of its largest process", "without"], cells)


def main() -> None:
    parser = comparison_parser(__doc__, "bench.peers", BEFORE, runs=3)
    parser.add_argument("--hosts", type=int, default=50)
    options = parser.parse_args()
    rows = list(measured(options.hosts, options.runs, options.before))
    what = f"`sleep {SLEEP}` on {options.hosts} real sshd, to the end; median of {options.runs} runs, Ansible's is one"
    where = f"hosts and controller share one machine: {machine('paramiko')}"
    printed = f"{what}; {where}.\n\n{peers_table(rows)}\n"
    print(printed)
    if options.write:
        put("peers", printed)
        save("peers", {"hosts": options.hosts, "rows": [asdict(row) for row in rows]})


def _named(package: str) -> str:
    """The package with its version."""
    return next(each.replace("==", " ") for each in PEERS if each.startswith(package))


if __name__ == "__main__":
    main()
