"""How full the disks of some hosts are: a flow to begin with."""

from remotejobs.prefect import Access, HostPattern, JobOptions, RunOptions, remote_flow, run_jobs, select_hosts


@remote_flow("disk-space", run_name="disk space of {hosts}")
def disk_space(
    access: Access,
    hosts: HostPattern,
    job: JobOptions = JobOptions(timeout=60),
    run: RunOptions = RunOptions(),
) -> None:
    """Check the disks of every host of a pattern; fail at the end, naming the hosts where that failed."""
    jobs = [(job.job("df -h", label="disk space"), host) for host in select_hosts(access, hosts)]
    run_jobs(jobs, access, run=run, title=f"Disk space of {hosts}")


if __name__ == "__main__":
    disk_space(Access(inventory="inventories/hosts.yml"), "all")
