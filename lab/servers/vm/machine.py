"""A virtual machine with systemd that can be rebooted, and switched off as by a power cut.

It runs on KVM where the processor helps, and is emulated elsewhere: a boot then takes a dozen seconds of CPU.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from lab.ports import Port, banner
from lab.process import LabError, ServerProcess
from lab.servers.vm.image import Image, image

QEMU = "qemu-system-x86_64"
# Emulated, the kernel's tests of its own ciphers take seconds, and so do lines on a serial console.
ARGUMENTS = (
    "console=ttyS0 loglevel=5 systemd.show_status=false cryptomgr.notests net.ifnames=0 mitigations=off panic=-1 "
    "systemd.unit=multi-user.target"
)
BOOTS_WITHIN = 300.0  # seconds; less than 10 on an idle machine, and a minute on a busy one
LOGIN_WITHIN = 60  # seconds
# Asked again sooner, a machine that is slow has so many at its door that it refuses all.
ANSWERS_WITHIN = 5.0  # seconds
MEMORY = "512"  # MiB


def accelerators(processor: str | None = None) -> list[str]:
    """QEMU's options: KVM first where `processor`, the text of /proc/cpuinfo, has hardware for it, and emulation.

    A machine that is virtual itself may have a /dev/kvm without that hardware, which a kernel has to be made for: any
    other is interpreted there instruction by instruction, and after minutes it still boots.
    """
    text = Path("/proc/cpuinfo").read_text() if processor is None else processor
    flags = next((line.split() for line in text.splitlines() if line.startswith("flags")), [])
    helped = {"vmx", "svm"} & set(flags)
    return [*(["-accel", "kvm"] if helped else []), "-accel", "tcg,thread=multi"]


class Vm:
    """`with Vm(directory) as vm:` gives a machine whose sshd listens on 127.0.0.1:`vm.port`; its network is that alone.

    What it writes stays on its disk in `directory` from one start to the next.
    """

    def __init__(self, directory: Path, name: str = "vm", base: Image | None = None) -> None:
        self.directory = directory
        self.name = name
        self._port = Port()
        self.port = self._port.number
        self._image = base or image()
        self._disk = directory / "disk"
        self._console = directory / "console.log"
        self._known_hosts = directory / "known_hosts"
        self._qemu = ServerProcess(name, directory / "qemu.log")

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        if not self._disk.exists():
            subprocess.run(["cp", "--sparse=always", self._image.disk, self._disk], check=True)
        self._known_hosts.write_text(f"[127.0.0.1]:{self.port} {self._image.host_key}\n")
        try:
            self.start()
        except BaseException:
            self._qemu.end(signal.SIGKILL)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._qemu.end(signal.SIGKILL)

    def start(self) -> None:
        """Switch it on and wait until its sshd answers. Raises `LabError`."""
        self._qemu.start(self._command())
        try:
            self._qemu.await_ready(lambda: banner(self.port, ANSWERS_WITHIN).startswith(b"SSH-"), BOOTS_WITHIN)
        except LabError as exc:
            raise LabError(f"{exc}\nThe machine's console said last:\n{self._said()}") from exc

    def cut_power(self) -> None:
        """Switch it off without a word to it: what its kernel had not brought to disk is gone."""
        os.kill(self._qemu.pid, signal.SIGKILL)
        self._qemu.end()

    def variables(self, user: str = "root") -> dict[str, Any]:
        """The inventory variables that reach it, in Ansible's words."""
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": user,
            "ansible_timeout": LOGIN_WITHIN,
            "ansible_ssh_private_key_file": str(self._image.private_key),
            "ansible_ssh_common_args": f"-o 'UserKnownHostsFile=\"{self._known_hosts}\"' -o StrictHostKeyChecking=yes",
        }

    def write_inventory(self, path: Path, user: str = "root") -> Path:
        """A YAML inventory with this one host; returns `path`."""
        path.write_text(yaml.safe_dump({"all": {"hosts": {self.name: self.variables(user)}}}, sort_keys=False))
        return path

    def _said(self) -> str:
        lines = self._console.read_text(errors="replace").splitlines() if self._console.exists() else []
        return "\n".join(lines[-15:])

    def _command(self) -> list[str]:
        forward = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22"
        machine = [*accelerators(), "-smp", "2", "-m", MEMORY, "-nodefaults", "-display", "none"]
        kernel = ["-kernel", str(self._image.kernel), "-initrd", str(self._image.initrd), "-append", ARGUMENTS]
        disk = ["-drive", f"file={self._disk},format=raw,if=virtio"]
        network = ["-netdev", forward, "-device", "virtio-net-pci,netdev=net", "-device", "virtio-rng-pci"]
        return [QEMU, *machine, *kernel, *disk, *network, "-serial", f"file:{self._console}"]
