"""The agent, in POSIX sh, with what is sent to it (`request.py`) and what it answers (`response.py`)."""
