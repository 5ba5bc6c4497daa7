"""One flow a file, beside what repairs after it, each readable as prose; `run_command` is the one to start with."""

from pathlib import Path

# Until the next release: modules by their old names, so that the entrypoints in a project's prefect.yaml still work.
__path__.append(str(Path(__file__).with_name("old_names")))
