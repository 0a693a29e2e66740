"""What may be printed of a request: its bytes, made harmless and free of secrets.

A log line is read on a terminal, which control characters would drive, and it is kept
and passed around, while a query often carries a credential.
"""

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from corsproxy.config.problems import escape

# Parameter names whose values are credentials, or worth one (OWASP's, OAuth's and OpenID's,
# SAML's, those of cloud storage and of session cookies): what says so anywhere in a name, and
# what says so as a word of it. userToken, user_token and user.token are words alike.
_TELLING = re.compile(
    rb"token|secret|passw|passphrase|passcode|signature|credential|sess(?:ion|id)|assertion"
    rb"|authoriz|authentic|verifier|ticket|bearer|samlre|(?:api|access|private|auth|pass|sign)key"
)
_WORDS = frozenset(
    b"auth jwt jws jwe key keys sig sid pwd pw pass passkey pin otp totp hotp mfa tan ott code"
    b" oobcode state relaystate nonce challenge hmac mac hash saml samlart sso csrf xsrf dpop"
    b" cookie seed mnemonic magic invite invitation cvv cvc ssn wresult pkce ak sk".split()
)
# Codes that are not secret.
_OPEN_CODES = frozenset(
    b"area country currency error exit iso lang language locale postal region status zip".split()
)
_WORD = re.compile(rb"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PARAMETER = re.compile(rb"(?<=[?&;#])([^=&;#]*)=([^&;#]*)")
_NAME_WITHIN = re.compile(rb"(?<=[?&;#])([^=&;#?]*)=")
_USERINFO = re.compile(rb"(?<=//)[^/?#@]*@")
_REDACTED = b"***"


def printable(value: bytes) -> str:
    """Return bytes as text: printable ASCII as it is, every other byte as \\xNN."""
    text = value.decode("ascii", "backslashreplace")
    return text if text.isprintable() else escape(text)


def redacted(target: bytes) -> bytes:
    """Return a request target or a link whose credentials are replaced by ***.

    They are values of query (or fragment) parameters with a name such as access_token,
    privateKey, signature or code, percent-encoded names included, or that hold a URL with
    such a parameter; and userinfo.
    """
    if b"@" in target:
        target = _USERINFO.sub(_REDACTED + b"@", target)
    if b"=" not in target:
        return target
    return _PARAMETER.sub(_without_secret, target)


def _without_secret(parameter: re.Match[bytes]) -> bytes:
    name, value = parameter[1], parameter[2]
    if not value or not (is_secret_name(unquote_to_bytes(name)) or _holds_secret(value)):
        return parameter[0]
    return name + b"=" + _REDACTED


def _holds_secret(value: bytes) -> bool:
    """Whether a value is a URL, encoded not more than twice, that has a credential in it."""
    for _ in range(3):
        names = _NAME_WITHIN.findall(value)
        if any(is_secret_name(unquote_to_bytes(name)) for name in names):
            return True
        if _USERINFO.search(value) is not None:
            return True
        decoded = unquote_to_bytes(value)
        if decoded == value:
            return False
        value = decoded
    return False


@lru_cache(maxsize=512)
def is_secret_name(name: bytes) -> bool:
    """Whether the value of a parameter or a field of that name is a credential, or worth one."""
    if _TELLING.search(name.lower()) is not None:
        return True
    words = {word.lower() for word in _WORD.findall(name)}
    if words & _OPEN_CODES:
        words.discard(b"code")
    return not words.isdisjoint(_WORDS) or name.lower() in _WORDS
