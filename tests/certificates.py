"""Certificates for servers of tests that speak TLS."""

from __future__ import annotations

import subprocess
from pathlib import Path


def certificate(directory: Path, name: str) -> Path:
    """One that is its own authority, with its key in key.pem."""
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-days", "2", "-nodes"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", str(directory / "key.pem")]
    made = directory / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", *key, "-out", str(made), *subject], check=True, capture_output=True)
    return made
