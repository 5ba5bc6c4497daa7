"""Authorities and the certificates that they sign, as files."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_DAYS = "30"


@dataclass(frozen=True)
class Certificate:
    """A certificate of a server, its key, and the authority that signed it."""

    authority: Path
    certificate: Path
    key: Path


def authority(directory: Path, name: str) -> Path:
    """The certificate of a new authority; its key lies beside it."""
    made = directory / f"{name}.pem"
    subject = ["-days", _DAYS, "-subj", f"/CN={name}"]
    key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        str(made.with_suffix(".key")),
    ]
    _openssl("req", "-x509", *key, *subject, "-out", str(made))
    return made


def certificate(signed_by: Path, host: str) -> Certificate:
    """A certificate for the host name `host`, signed by an authority; beside that."""
    made = signed_by.with_name(f"{host}.pem")
    key, request, extensions = (made.with_suffix(suffix) for suffix in (".key", ".csr", ".ext"))
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    _openssl("req", *curve, "-keyout", str(key), "-subj", f"/CN={host}", "-out", str(request))
    extensions.write_text(f"subjectAltName=DNS:{host}\n")
    signer = ["-CA", str(signed_by), "-CAkey", str(signed_by.with_suffix(".key")), "-CAcreateserial"]
    _openssl(
        "x509", "-req", "-in", str(request), *signer, "-days", _DAYS, "-extfile", str(extensions), "-out", str(made)
    )
    return Certificate(signed_by, made, key)


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
