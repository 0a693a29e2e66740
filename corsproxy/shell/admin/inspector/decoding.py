"""Bodies made readable: codings undone, characters decoded, within bounds.

Only for looking at them: what goes to the client is never touched. What is kept of a body
may end anywhere, so that a coding that breaks off is no fault.
"""

import zlib
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from corsproxy.core.advice.operation import decoder, install
from corsproxy.core.messages import Fields
from corsproxy.shell.admin.inspector.exchanges import Body, value_of

MOST_DECODED = 256 * 1024
"""How much a body may become: what was 16 KiB can be 16 MiB."""

_TEXT_CONTROLS = frozenset(b"\t\n\r\f\x1b")


class Decoded(NamedTuple):
    """A body as it may be read."""

    data: bytes
    """Without its codings, as far as it was kept and could be decoded."""
    coding: str
    """The Content-Encoding, "" where there is none."""
    failure: str
    """Why it is not decoded, or not to its end, as a sentence; "" where it is."""
    install: str
    """The command after which it would be; "" where none helps."""
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
            return Decoded(data, coding, decoder(each, package), install(package), is_cut)
        except zlib.error as error:
            return Decoded(data, coding, f"This is not valid {each}: {error}.", "", is_cut)
        is_cut = is_cut or is_more
    return Decoded(data, coding, "", "", is_cut)


def _bounded(make: Callable[[], _Decompressor], data: bytes) -> tuple[bytes, bool]:
    """Return what `data` becomes, at most MOST_DECODED bytes of it, and whether that is cut."""
    decoded = make().decompress(data, MOST_DECODED + 1)
    return decoded[:MOST_DECODED], len(decoded) > MOST_DECODED


class _Deflate:
    """zlib's format, as the standard has it, or the bare one that some servers send."""

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        try:
            return zlib.decompressobj().decompress(data, max_length)
        except zlib.error:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, max_length)


def _gzip() -> _Decompressor:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


class _MissingError(Exception):
    """A package that would decode is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(package)
        self.package = package


def _package(name: str, *modules: str) -> Any:
    """Return the first of the modules that is there. Raises _MissingError."""
    for module in modules:
        with suppress(ModuleNotFoundError):
            return import_module(module)
    raise _MissingError(name)


class _Brotli:
    """RFC 7932, by a package that may be there or not."""

    def __init__(self) -> None:
        self._package = _package("brotli", "brotli")

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        try:
            decoder = self._package.Decompressor()
            decoded: bytes = decoder.process(data, output_buffer_limit=max_length)
        except TypeError:  # before 1.2 it knows no bounds
            raise _MissingError("brotli") from None
        except self._package.error as error:
            raise zlib.error(str(error)) from None
        return decoded


class _Zstandard:
    """RFC 8878, by Python from 3.14 on, before by its backport."""

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
    """Return the charset that a Content-Type names, in lower case; "" where it names none."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""


# A name from a stranger is looked up in no registry: some of Python's codecs are no charsets.
_CHARSETS = {
    "": "utf-8", "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "utf-8",
    "iso-8859-1": "cp1252", "latin1": "cp1252", "windows-1252": "cp1252",
    "iso-8859-15": "iso-8859-15", "windows-1251": "cp1251", "koi8-r": "koi8-r",
    "utf-16": "utf-16", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be",
    "shift_jis": "cp932", "euc-jp": "euc_jp", "gbk": "gbk", "gb2312": "gbk", "gb18030": "gb18030",
    "big5": "big5", "euc-kr": "euc_kr",
}  # fmt: skip


def as_text(data: bytes, content_type: str) -> str | None:
    """Return text; None where it is none."""
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
