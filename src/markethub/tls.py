"""Certificates: what the server shows, and whom this node trusts."""

import re
import ssl
from pathlib import Path

from markethub.config import Settings
from markethub.domain.errors import InputError

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


def check_server_tls(settings: Settings) -> None:
    """InputError, naming the setting, where the server's certificate and key cannot be used; else nothing."""
    certificate, key = settings.server.tls_cert_file, settings.server.tls_key_file
    if certificate is None or key is None:
        return
    _read_pem("server.tls_cert_file", certificate, "CERTIFICATE")
    _read_pem("server.tls_key_file", key, "PRIVATE KEY")
    try:
        # Without a password: an encrypted key would ask for one at a terminal that nobody looks at.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, OSError) as error:
        raise InputError(
            f"setting server.tls_key_file: {key} is not the unencrypted private key of the certificate in "
            f"{certificate}: {_reason(error)}"
        ) from error


def shown_certificate(settings: Settings) -> str | None:
    """The server's own certificate (PEM), without those of its authorities; None where it serves no HTTPS.

    It is the one that clients on this machine know the server by.
    """
    path = settings.server.tls_cert_file
    if path is None:
        return None
    content = _read_pem("server.tls_cert_file", path, "CERTIFICATE")
    match = _CERTIFICATE.search(content)
    if match is None:
        raise InputError(f"setting server.tls_cert_file: {path} has no PEM block of a certificate")
    return match[0].decode("ascii") + "\n"


def trust_of(settings: Settings) -> ssl.SSLContext | None:
    """What to check other nodes' certificates against; None for the system's authorities.

    InputError where ``node.tls_ca_file`` cannot be used.
    """
    path = settings.node.tls_ca_file
    if path is None:
        return None
    _read_pem("node.tls_ca_file", path, "CERTIFICATE")
    try:
        return ssl.create_default_context(cafile=path)
    except (ssl.SSLError, OSError) as error:
        raise InputError(f"setting node.tls_ca_file: {path} has no certificate: {_reason(error)}") from error


def _read_pem(setting: str, path: Path, what: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"setting {setting}: {path} cannot be read: {error.strerror}") from error
    if f"{what}-----".encode() not in content:
        raise InputError(f"setting {setting}: {path} has no PEM block of a {what.lower()}")
    return content


def _reason(error: OSError) -> str:
    # OpenSSL's own words may be empty, as for a key that does not fit.
    return getattr(error, "reason", None) or error.strerror or type(error).__name__
