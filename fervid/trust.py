"""Which servers are believed to be who they say: FFmpeg's options for certificates.

FFmpeg checks none unless it is told to, and the library in PyAV's Linux wheels (GnuTLS) brings no
list of authorities: it is given the system's.
"""

import os
import ssl
import sys

# Where systems keep their authorities, after what SSL_CERT_FILE and Python itself name.
PLACES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora and relatives
    "/etc/ssl/ca-bundle.pem",  # openSUSE
)


def tls_options(verify: bool) -> dict[str, str]:
    """FFmpeg's options for a connection by TLS.

    Args:
        verify: refuse servers whose certificate is not trusted.
    """
    if not verify:
        return {"tls_verify": "0"}
    authorities = system_authorities()
    return {"tls_verify": "1"} | ({"ca_file": authorities} if authorities else {})


def system_authorities() -> str | None:
    """The file with the system's authorities; None where FFmpeg finds them by itself, or nobody."""
    named = ssl.get_default_verify_paths().cafile
    if named or sys.platform in ("win32", "darwin"):
        return named
    return next((place for place in PLACES if os.path.isfile(place)), None)  # noqa: PTH113
