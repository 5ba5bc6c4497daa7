"""adopt.pl and reap.pl in Python, for hosts without perl: what each part does and why is said there."""

import contextlib
import ctypes
import glob
import os
import re
import signal
import sys
import time


def adopts() -> bool:
    prctl = ctypes.CDLL(None).prctl
    answer = ctypes.c_int(0)
    return prctl(36, 1, 0, 0, 0) == 0 and prctl(37, ctypes.byref(answer), 0, 0, 0) == 0 and answer.value == 1


def now(proc: str) -> int:
    with open(proc + "/uptime") as file:
        return int(file.read().split()[0].replace(".", ""))


def due(proc: str, ends: int) -> bool:
    rest = (ends - now(proc)) % 2**32
    return rest == 0 or rest >= 2**31


def below(proc: str) -> "dict[int, tuple[int, str]]":
    every, ours = {}, {}
    for path in glob.glob(proc + "/[0-9]*/stat"):
        with contextlib.suppress(OSError), open(path, errors="replace") as file:
            pid, _, rest = file.read().partition(" (")
            fields = rest.rpartition(") ")[2].split()
            if fields[0] not in "ZX" or int(fields[17]) > 1:
                every[int(pid)] = (int(fields[1]), fields[19])
    grown = True
    while grown:
        more = {
            pid: seen for pid, seen in every.items() if pid not in ours and (seen[0] == os.getpid() or seen[0] in ours)
        }
        ours.update(more)
        grown = bool(more)
    return ours


def send(name: str, pid: int) -> bool:
    try:
        os.kill(pid, getattr(signal, name) if name else 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def left_none() -> bool:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def end_all(proc: str, rounds: int) -> None:
    seen: "dict[int, tuple[int, str]]" = {}
    for _ in range(10):
        ours = below(proc)
        new = [pid for pid in ours if pid not in seen]
        for pid in new:
            send("SIGSTOP", pid)
        seen = ours
        if not new:
            break
    spared = set()
    for pid in seen:
        above = pid if rounds > 5 or send("", pid) else seen[pid][0]
        while above != pid and above in seen and above not in spared:
            spared.add(above)
            above = seen[above][0]
    for pid in seen:
        for name in ("SIGTERM", "SIGCONT") if pid in spared else ("SIGKILL",):
            send(name, pid)


def reap(proc: str, ends: int) -> "list[str]":
    rounds = until = 0
    while not left_none():
        if due(proc, ends) or os.path.exists("proof"):
            until = until or now(proc) + 1000
            if rounds > 3 and now(proc) >= until:
                break
            end_all(proc, rounds)
            rounds += 1
        time.sleep(0.02)
    else:
        return ["reaped", "", ""]
    names, left = [], []
    for pid, (_, born) in below(proc).items():
        name = ""
        with contextlib.suppress(OSError), open("%s/%d/comm" % (proc, pid), errors="replace") as file:
            name = re.sub("[^ -~]", "?", file.read().rstrip("\n"))
        names.append("%d(%s)" % (pid, name))
        left.append("%d:%s " % (pid, born))
    return ["", " ".join(names) or "unknown (a process that cannot be seen)", "".join(left)]


def adopt() -> None:
    if not adopts():
        sys.exit(113)
    with open("/proc/self/stat") as file:
        os.environ["RJ_BORN"] = file.read().rpartition(") ")[2].split()[19]
    now = int(time.time())
    os.environ["RJ_NOW"] = time.strftime("%d %%Y-%%m-%%dT%%H:%%M:%%SZ" % now, time.gmtime(now))
    # Python itself ignores some that are none of the command's, and what it becomes would go on to.
    for number in range(1, signal.NSIG):
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    del os.environ["LC_ALL"]
    if os.environ["RJ_LOCALE"]:
        os.environ["LC_ALL"] = os.environ["RJ_LOCALE"]


if __name__ == "__main__":
    words = sys.argv[2:]
    if sys.argv[1] == "adopt":
        adopt()
    else:
        words = words[2:] + reap(words[0], int(words[1]))
    os.execvp(words[0], words)
