"""Bodies made readable: codings undone and characters decoded, within bounds.

For display only: what goes to the client is never changed. A captured body may be cut off
anywhere, so a coding that ends early is not an error.
"""

import zlib
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from corsproxy.core.advice.operation import decoder
from corsproxy.core.messages import Fields
from corsproxy.shell.admin.inspector.exchanges import Body, value_of
from corsproxy.shell.system.packages import installing

MOST_DECODED = 256 * 1024
"""The limit for a decoded body: 16 KiB could become 16 MiB."""

_TEXT_CONTROLS = frozenset(b"\t\n\r\f\x1b")


class Decoded(NamedTuple):
    """A body in readable form."""

    data: bytes
    """Without its codings, as far as it was kept and could be decoded."""
    coding: str
    """The Content-Encoding, "" if there is none."""
    failure: str
    """Why it is not decoded, or only in part, as a sentence; "" if it is."""
    install: str
    """The command that makes it decodable; "" if none helps."""
    is_cut: bool
    """Whether there was more."""


class _Decompressor(Protocol):
    def decompress(self, data: bytes, /, max_length: int = ...) -> bytes: ...


def decode(body: Body, fields: Fields) -> Decoded:
    """Undo the codings that `fields` name, in their order (RFC 9110, 8.4)."""
    named = value_of(fields, b"content-encoding") or b""
    coding = named.decode("latin-1").strip().lower()
    codings = [each.strip() for each in coding.split(",") if each.strip() not in ("", "identity")]
    data, is_cut = body.kept, not body.is_whole
    for each in reversed(codings):
        make = _DECOMPRESSORS.get(each)
        if make is None:
            return Decoded(data, coding, f"{each} cannot be decoded here.", "", is_cut)
        try:
            data, is_more = _bounded(make, data)
        except _MissingError as error:
            package = error.package
            install = installing(package, newer=True)
            return Decoded(data, coding, decoder(each, package), install, is_cut)
        except zlib.error as error:
            return Decoded(data, coding, f"This is not valid {each}: {error}.", "", is_cut)
        is_cut = is_cut or is_more
    return Decoded(data, coding, "", "", is_cut)


def _bounded(make: Callable[[], _Decompressor], data: bytes) -> tuple[bytes, bool]:
    """Return `data` decoded, at most MOST_DECODED bytes of it, and whether it was cut."""
    decoded = make().decompress(data, MOST_DECODED + 1)
    return decoded[:MOST_DECODED], len(decoded) > MOST_DECODED


class _Deflate:
    """zlib's format (RFC 9110, 8.4.1.2), or the raw deflate that some servers send."""

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        try:
            return zlib.decompressobj().decompress(data, max_length)
        except zlib.error:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, max_length)


def _gzip() -> _Decompressor:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


class _MissingError(Exception):
    """The package that would decode it is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(package)
        self.package = package


def _package(name: str, *modules: str) -> Any:
    """Return the first of the modules that is installed. Raises _MissingError."""
    for module in modules:
        with suppress(ModuleNotFoundError):
            return import_module(module)
    raise _MissingError(name)


class _Brotli:
    """Brotli (RFC 7932), with an optional package."""

    def __init__(self) -> None:
        self._package = _package("brotli", "brotli")

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        try:
            decoder = self._package.Decompressor()
            decoded: bytes = decoder.process(data, output_buffer_limit=max_length)
        except TypeError:  # versions before 1.2 have no max_length
            raise _MissingError("brotli") from None
        except self._package.error as error:
            raise zlib.error(str(error)) from None
        return decoded


class _Zstandard:
    """Zstandard (RFC 8878), with Python's own module from 3.14 on and its backport before."""

    def __init__(self) -> None:
        self._package = _package("backports.zstd", "compression.zstd", "backports.zstd")

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        try:
            decoded: bytes = self._package.ZstdDecompressor().decompress(data, max_length)
        except self._package.ZstdError as error:
            raise zlib.error(str(error)) from None
        return decoded


_DECOMPRESSORS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstandard,
}


def charset_of(content_type: str) -> str:
    """Return the charset of a Content-Type, in lower case; "" if it has none."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""


# Untrusted names are not passed to Python's registry: some of its codecs are not charsets.
_CHARSETS = {
    "": "utf-8", "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "utf-8",
    "iso-8859-1": "cp1252", "latin1": "cp1252", "windows-1252": "cp1252",
    "iso-8859-15": "iso-8859-15", "windows-1251": "cp1251", "koi8-r": "koi8-r",
    "utf-16": "utf-16", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be",
    "shift_jis": "cp932", "euc-jp": "euc_jp", "gbk": "gbk", "gb2312": "gbk", "gb18030": "gb18030",
    "big5": "big5", "euc-kr": "euc_kr",
}  # fmt: skip


def as_text(data: bytes, content_type: str) -> str | None:
    """Return the body as text; None if it is binary."""
    charset = _CHARSETS.get(charset_of(content_type), "utf-8")
    if not charset.startswith("utf-16") and _is_binary(data):
        return None
    return data.decode(charset, "replace")


def _is_binary(data: bytes) -> bool:
    beginning = data[:1024]
    if 0 in beginning:
        return True
    controls = sum(byte < 0x20 and byte not in _TEXT_CONTROLS for byte in beginning)
    return controls * 20 > len(beginning)
