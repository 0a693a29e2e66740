"""What to do about the proxy's own operation: ports, packages, certificates, the terminal."""

from collections.abc import Sequence
from typing import Final

# At the terminal.
PRESS_A: Final = "Or press a + enter: it shows the edit, and asks before it is made."
PRESS_A_QUICK: Final = "Or press a + enter to allow it until the proxy stops."
NOTHING_TO_ALLOW: Final = (
    "Nothing to allow: since the start or the last change of the policy, nothing was refused "
    "that an entry would allow. Repeat the call, and press a again."
)
CACHED_PREFLIGHTS: Final = (
    "browsers may use an earlier preflight's answer until max_age ends "
    "(5 seconds where it is not set)"
)

# In the inspector.
ALLOWED: Final = "The current allowlist allows it, and nothing needs to be added."
ALLOWED_BY_NOW: Final = "The current allowlist allows it: repeat the call."
NO_ENTRY: Final = "No entry of the allowlist would allow it."

# On the admin listener.
ADMIN_HOST: Final = "Ask for localhost or an address, or add the name to allowed_hosts."
METRICS_PACKAGE: Final = "metrics need a package"

# Packages.
NSS_PACKAGES: Final = (
    "certutil, which the browsers' own stores need, is missing; install libnss3-tools (Debian), "
    "nss-tools (Fedora) or nss (Arch, Homebrew)"
)

# Certificates.
DATA_DIRECTORY: Final = (
    "let XDG_DATA_HOME name a directory that can be written, or name a certificate with `tls`"
)
TRUST_AGAIN: Final = "run corsproxy trust again"
TRUST_AS_ROOT: Final = "the system's store needs root: run corsproxy trust as root for it"
PEM_FILE: Final = "write the path of a PEM file, from this file's directory"
MATCHING_KEY: Final = "name the key that the certificate was made for"
RENEW: Final = "renew it; it is read again without a restart"


def hopeless(origin: str, *, are_more: bool) -> str:
    """Say that what was refused last has no edit; `are_more` if earlier calls have one."""
    sentence = f"No entry can allow the call that was refused last, from {origin}."
    return f"{sentence} Refused before it:" if are_more else sentence


def decoder(coding: str, package: str) -> str:
    """Return what the inspector needs to show content in a coding."""
    return f"Decoding {coding} needs the package {package}."


def not_installed(what: str, packages: Sequence[str], command: str) -> str:
    """Say that `what` needs packages that are missing; `command` installs them."""
    are = "is" if len(packages) == 1 else "are"
    return f"{what} needs {' and '.join(packages)}, which {are} not installed; run: {command}"


def protect_key(file: str) -> str:
    """Return the command that keeps a private key from other users."""
    return f"chmod 600 {file}"


def listen_elsewhere(flag: str, address: object, *, can_be_off: bool = False) -> str:
    """Return the flags that avoid an address on which the proxy cannot listen."""
    return f"{flag} {address}{f' or {flag} off' if can_be_off else ''}"
