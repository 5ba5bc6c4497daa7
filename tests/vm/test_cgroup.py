"""The proof by a job's own cgroup, where no reaper can ask the kernel for children any more."""

from __future__ import annotations

from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, State
from tests.awaiting import await_there
from tests.vm.units import said

# A program for x86-64 whose main thread ends at once, while another waits for ever: clone(CLONE_VM | CLONE_FS |
# CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD), exit(0) in the one, pause() in the other.
HEADLESS = (
    "f0VMRgIBAQAAAAAAAAAAAAIAPgABAAAAeABAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAEAAOAABAAAAAAAAAAEAAAAHAAAAeAAAAAAAAAB4AEAAAAAAAHgA"
    "QAAAAAAALwAAAAAAAAAwEAAAAAAAAAEAAAAAAAAAuDgAAAC/AA8BAL6nEEAAMdJFMdJFMcAPBYXAdAkx/7g8AAAADwW4IgAAAA8F6/c="
)
CMD = f"""trap '' TERM
echo {HEADLESS} | base64 -d >"$REMOTEJOBS_DIR/headless"
chmod +x "$REMOTEJOBS_DIR/headless"
(env -i setsid "$REMOTEJOBS_DIR/headless" &)
su - ops -c 'sleep 3603; :' & # su ends its child, but no more, when it gets TERM
until headless=$(pgrep -x headless) && sleeps=$(pgrep -fx 'sleep 3603'); do sleep 0.2; done
echo $(cat /proc/$headless/cgroup /proc/$sleeps/cgroup)
wait
"""


def test_a_cgroup_is_proven_empty_only_with_the_tree_and_those_whose_main_thread_has_ended(
    jobs: HostJobs, shell: Shell
) -> None:
    """`su -` leaves the cgroup by pam_systemd, and cgroup.kill spares a process without its main thread."""
    record = jobs.start(Job(jid="grouped", cmd=CMD, launcher="systemd", grace=0))
    place = record.results_dir
    await_there(shell, f"test -s '{place}/stdout'")
    lost = f"""cat '{place}/stdout'
        pids() {{ sed -n "s/^$1 \\([0-9]*\\) .*/\\1/p" '{place}/job'; }}
        kill -KILL $(pids reaper)
        while [ -e /proc/$(pids supervisor) ]; do sleep 0.2; done"""
    headless, su = said(shell, lost).split()
    assert "/remotejobs-grouped-" in headless
    assert "/session-" in su, "in no cgroup of the job"
    killed = jobs.kill("grouped")
    assert (killed.state, killed.proof, killed.survivors) == (State.KILLED, "cgroup", "")
    assert killed.msg.endswith("its process tree with its cgroup is proven empty")
    assert shell.run("pgrep -x headless; pgrep -fx 'sleep 3603'").output == ""
