"""Certificates of the tests' own: an authority, and what it signs."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where certificate and key (PEM) are."""

    cert_file: Path
    key_file: Path


def make_authority(folder: Path, name: str) -> Certificate:
    """An authority that nobody trusts unless told to."""
    made = _files(folder, name)
    authority = trustme.CA(organization_name=name)
    authority.cert_pem.write_to_path(made.cert_file)
    authority.private_key_pem.write_to_path(made.key_file)
    return made


def make_certificate(folder: Path, name: str, authority: Certificate, identity: str) -> Certificate:
    """A server's certificate; ``identity`` is its address or host name."""
    made = _files(folder, name)
    signing = trustme.CA.from_pem(authority.cert_file.read_bytes(), authority.key_file.read_bytes())
    issued = signing.issue_cert(identity, common_name=name)
    issued.cert_chain_pems[0].write_to_path(made.cert_file)
    issued.private_key_pem.write_to_path(made.key_file)
    return made


def _files(folder: Path, name: str) -> Certificate:
    return Certificate(folder / f"{name}.crt", folder / f"{name}.key")
