"""What may be printed of a request: its bytes, made harmless and free of secrets.

A log line is read on a terminal, which control characters would drive, and it is kept
and passed around, while a query often carries a credential.
"""

import re
from urllib.parse import unquote_to_bytes

from corsproxy.config.problems import escape

# Parameter names whose values are credentials, or worth one: a word anywhere in the
# name, or one of the short names that would hit too much inside a longer one.
_SECRET_NAME = re.compile(
    rb"token|secret|passw|passphrase|signature|credential|session|assertion|authorization"
    rb"|(?:^|[-_.])(?:auth|jwt|key|sig|sid|pwd|pass|otp)$|apikey$|^(?:code|state|samlresponse)$",
    re.IGNORECASE,
)
_PARAMETER = re.compile(rb"(?<=[?&;#])([^=&;#]*)=([^&;#]*)")
_USERINFO = re.compile(rb"(?<=//)[^/?#@]*@")
_REDACTED = b"***"


def printable(value: bytes) -> str:
    """Return bytes as text: printable ASCII as it is, every other byte as \\xNN."""
    text = value.decode("ascii", "backslashreplace")
    return text if text.isprintable() else escape(text)


def redacted(target: bytes) -> bytes:
    """Return a request target whose credentials are replaced by ***.

    They are values of query (or fragment) parameters with a name such as access_token,
    api_key, signature or code, percent-encoded names included, and userinfo.
    """
    if b"@" in target:
        target = _USERINFO.sub(_REDACTED + b"@", target)
    if b"=" not in target:
        return target
    return _PARAMETER.sub(_without_secret, target)


def is_secret_name(name: bytes) -> bool:
    """Whether the value of a parameter or a field of that name is a credential, or worth one."""
    return _SECRET_NAME.search(name) is not None


def _without_secret(parameter: re.Match[bytes]) -> bytes:
    name = parameter[1]
    if not parameter[2] or not is_secret_name(unquote_to_bytes(name)):
        return parameter[0]
    return name + b"=" + _REDACTED
