"""Replaces secrets by marks that show only which values are equal.

A mark is a keyed hash; the key lives as long as the process. Equal secrets have equal marks,
and a mark does not reveal its secret. The redactor remembers what it replaced, so a secret can
be revealed on request.
"""

import re
from collections.abc import Callable
from hashlib import blake2b
from urllib.parse import unquote_to_bytes

from corsproxy.core.messages import Field, Fields
from corsproxy.shell.feed.quoting import JWT, is_secret_name

_COOKIES = frozenset({b"cookie", b"set-cookie"})
_CREDENTIALS = frozenset({b"authorization", b"proxy-authorization"})
# Fields whose values are, or contain, URLs.
_LINKS = frozenset({b"location", b"content-location", b"referer", b"link", b"refresh", b"origin"})

_PARAMETER = re.compile(rb"(?<=[?&;#])([^=&;#\s>\"]*)=([^&;#\s>\"]*)")
_USERINFO = re.compile(rb"(?<=//)[^/?#@\s]+(?=@)")
_BEARER = re.compile(rb"\b((?:Bearer|Basic|Token)\s+)([A-Za-z0-9._~+/-]{8,}=*)")

_JSON_MEMBER = re.compile(
    rb'"((?:[^"\\]|\\.){1,80})"(\s*:\s*)(?:"((?:[^"\\]|\\.)*)|(-?[0-9][0-9.eE+-]*))'
)
_FORM_MEMBER = re.compile(rb"(?:(?<=[&;\r\n])|^)([^=&;\r\n]{1,80})=([^&;\r\n]+)")
_PART = re.compile(
    rb'(content-disposition:[^\r\n]*\bname="?([^"\r\n;]{1,80})"?[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\n)'
    rb"([^\r\n]+)",
    re.IGNORECASE,
)

# Names that mean a credential in OAuth, but usually something else in JSON.
_AMBIGUOUS = frozenset({b"code", b"state", b"key"})
_PLAIN_WORDS = re.compile(rb"[a-z]+(?:[-_ ][a-z]+)*|[A-Z]+(?:_[A-Z]+)*|-?[0-9]{1,3}")


class Redactor:
    """Replaces secrets by their marks."""

    def __init__(self, key: bytes) -> None:
        """`key` is the run's own: 16 to 64 secret bytes."""
        self._key = key
        self.found: dict[str, str] = {}
        """The secrets by their marks (without brackets)."""

    def mark(self, secret: bytes) -> bytes:
        """Return the mark of a secret; empty for an empty one."""
        if not secret:
            return secret
        digest = blake2b(secret, key=self._key, digest_size=8).hexdigest()
        self.found[digest] = text_of(secret)
        return b"[redacted:%s]" % digest.encode("ascii")

    def fields(self, fields: Fields) -> list[Field]:
        return [self.field(name, value) for name, value in fields]

    def field(self, name: bytes, value: bytes) -> Field:
        """Return a field line without the secrets in its value."""
        lower = name.lower()
        if lower in _COOKIES:
            return name, self._cookies(value, is_one=lower == b"set-cookie")
        if lower in _CREDENTIALS:
            return name, self._authorization(value)
        if lower == b"sec-websocket-protocol":
            # People put tokens here, because scripts can set no other field.
            return name, self._tokens(value)
        if is_secret_name(lower) and not lower.startswith((b"access-control-", b"sec-")):
            return name, self.mark(value)
        if lower in _LINKS:
            value = self.target(value)
        return name, self._tokens(value)

    def target(self, target: bytes) -> bytes:
        """Return a request target, or another URL, without the secrets in it."""
        target = _USERINFO.sub(self._whole, target)
        return JWT.sub(self._whole, _PARAMETER.sub(self._parameter, target))

    def body(self, content: bytes, content_type: str) -> bytes:
        """Return text without its secrets; it may be cut off anywhere."""
        if "x-www-form-urlencoded" in content_type:
            content = _FORM_MEMBER.sub(self._form_member, content)
        elif "multipart/" in content_type:
            content = _PART.sub(self._part, content)
        else:
            content = _JSON_MEMBER.sub(self._json_member, content)
            content = _PARAMETER.sub(self._parameter, content)
        return self._tokens(content)

    def _cookies(self, value: bytes, *, is_one: bool) -> bytes:
        first, *others = value.split(b";")
        pairs = [first] if is_one else [first, *others]
        hidden = []
        for pair in pairs:
            name, equals, secret = pair.partition(b"=")
            hidden.append(name + equals + self.mark(secret) if equals else self.mark(pair))
        return b";".join([*hidden, *others] if is_one else hidden)

    def _authorization(self, value: bytes) -> bytes:
        scheme, space, secret = value.partition(b" ")
        return scheme + space + self.mark(secret) if space else self.mark(value)

    def _tokens(self, value: bytes) -> bytes:
        value = _BEARER.sub(self._bearer, value)
        return JWT.sub(self._whole, value)

    def _whole(self, found: re.Match[bytes]) -> bytes:
        return self.mark(found[0])

    def _bearer(self, found: re.Match[bytes]) -> bytes:
        return found[1] + self.mark(found[2])

    def _parameter(self, found: re.Match[bytes]) -> bytes:
        if not is_secret_name(unquote_to_bytes(found[1])) or not found[2]:
            return found[0]
        return found[1] + b"=" + self.mark(found[2])

    def _form_member(self, found: re.Match[bytes]) -> bytes:
        if not is_secret_name(unquote_to_bytes(found[1].replace(b"+", b" "))):
            return found[0]
        return found[1] + b"=" + self.mark(found[2])

    def _part(self, found: re.Match[bytes]) -> bytes:
        if not is_secret_name(found[2]):
            return found[0]
        return found[1] + self.mark(found[3])

    def _json_member(self, found: re.Match[bytes]) -> bytes:
        name, between, text, number = found.groups()
        value = number if text is None else text
        if not value or not is_secret_name(name) or _is_plain(name, value):
            return found[0]
        quote = b'"' if text is None else b""  # what replaces a number is a string
        opening = b'"' + name + b'"' + between + b'"'
        return opening + self.mark(value) + quote


def _is_plain(name: bytes, value: bytes) -> bool:
    return name.lower() in _AMBIGUOUS and _PLAIN_WORDS.fullmatch(value) is not None


class OpenRedactor(Redactor):
    """Replaces nothing: used if secrets were asked for."""

    def mark(self, secret: bytes) -> bytes:
        return secret


def text_of(data: bytes) -> str:
    """Return bytes as text: UTF-8 if valid, otherwise one character per byte."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


MakeRedactor = Callable[[], Redactor]
