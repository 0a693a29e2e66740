"""Makes a request's bytes safe to print: escaped, and without secrets.

Log lines are read at terminals, which act on control characters. They are also kept and passed
around, while queries often carry credentials.
"""

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from corsproxy.config.problems import escape

# Names of parameters whose values are credentials or as valuable (from OWASP, OAuth, OpenID, SAML,
# cloud storage, session cookies, captchas and PCI DSS): first those that count anywhere in a name,
# then those that count as a word of it. userToken, user_token and user.token have the same words.
_TELLING = re.compile(
    # `tokenize=yes` is an option.
    rb"token(?!i[sz](?:e[drs]?|ing|ation)(?![a-z]))"
    rb"|secret|passw|passphrase|passcode|signature|credential|sess(?:ion|id)|assertion"
    rb"|authoriz|authentic|verifier|ticket|bearer|samlre|(?:api|access|private|auth|pass|sign)key"
    # Who logs in, and a request for it that was left at the server (RFC 9126).
    rb"|(?:login|logout|user|username|account)[^a-z]?hint|login[^a-z]?(?:id|name)(?![a-z])"
    rb"|request[^a-z]?uri(?![a-z])|remember[^a-z]?me"
    # Proof of being human.
    rb"|captcha|turnstile|altcha|geetest"
    # Payment data.
    rb"|(?:credit|debit|bank)[^a-z]?card|card[^a-z]?(?:holder|owner)"
    rb"|(?:card|(?<![a-z])cc|account|acct|routing)[^a-z]?n(?:um|[or](?![a-z]))"
    rb"|(?:card|(?<![a-z])cc)[^a-z]?exp(?:ir|month|year|date|(?![a-z]))"
)
_WORDS = frozenset(
    b"auth jwt jws jwe key keys sig sid pwd pw pass passkey pin otp totp hotp mfa tan ott code"
    b" oobcode state relaystate nonce challenge hmac mac hash saml samlart sso csrf xsrf dpop"
    b" cookie seed mnemonic magic invite invitation cvv cvc cvn ccv csc pan iban ssn wresult pkce"
    b" ak sk remember".split()
)
# Codes that are not secret.
_OPEN_CODES = frozenset(
    b"area country currency error exit iso lang language locale postal region status zip".split()
)
_WORD = re.compile(rb"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PARAMETER = re.compile(rb"(?<=[?&;#])([^=&;#]*)=([^&;#]*)")
_NAME_WITHIN = re.compile(rb"(?<=[?&;#])([^=&;#?]*)=")
_USERINFO = re.compile(rb"(?<=//)[^/?#@]*@")
JWT = re.compile(rb"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*")
"""A JSON Web Token: parts in base64url, the first of which is a JSON object (RFC 7519)."""
_REDACTED = b"***"


def printable(value: bytes) -> str:
    """Return bytes as text: printable ASCII as it is, every other byte as \\xNN."""
    text = value.decode("ascii", "backslashreplace")
    return text if text.isprintable() else escape(text)


def redacted(target: bytes) -> bytes:
    """Return a request target or a link with its credentials replaced by ***.

    Credentials are userinfo and the values of query (or fragment) parameters with a name such as
    access_token, privateKey, signature or code, percent-encoded names included, or with a JSON Web
    Token, or a URL that contains such a parameter.
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
    """Whether a value contains a token, or is a URL, encoded at most twice, with a credential."""
    for _ in range(3):
        if JWT.search(value) is not None:
            return True
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
    """Whether the value of a parameter or a field of that name is a credential, or as valuable."""
    if _TELLING.search(name.lower()) is not None:
        return True
    words = {word.lower() for word in _WORD.findall(name)}
    if words & _OPEN_CODES:
        words.discard(b"code")
    return not words.isdisjoint(_WORDS) or name.lower() in _WORDS
