"""One flow a file, each readable as prose; `run_command` is the one to start with."""
