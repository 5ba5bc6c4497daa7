"""Every use of a private part of Prefect, paramiko or rich, one file for each.

Each file says with which version it was seen, why it is needed, what upstream says of it, and which public way would
end it. `tests/workarounds` fail when one does not work any more, and when the library does by itself what it is for.
"""
