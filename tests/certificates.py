"""Certificates of the tests' own: an authority, and what it signs."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where certificate and key (PEM) are."""

    cert_file: Path
    key_file: Path


def make_authority(folder: Path, name: str) -> Certificate:
    """An authority that nobody trusts unless told to."""
    made = _files(folder, name)
    _run(
        *(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-noenc",
            "-days",
            "2",
        ),
        *("-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE"),
        *("-keyout", str(made.key_file), "-out", str(made.cert_file)),
    )
    return made


def make_certificate(folder: Path, name: str, authority: Certificate, alternative: str) -> Certificate:
    """A server's certificate; ``alternative`` is such as ``IP:127.0.0.1`` or ``DNS:hub.example.com``."""
    made = _files(folder, name)
    _run(
        *(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-noenc",
            "-days",
            "2",
        ),
        *("-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-CA", str(authority.cert_file), "-CAkey", str(authority.key_file)),
        *("-keyout", str(made.key_file), "-out", str(made.cert_file)),
    )
    return made


def _files(folder: Path, name: str) -> Certificate:
    return Certificate(folder / f"{name}.crt", folder / f"{name}.key")


def _run(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
