"""All targets by name."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from programs.fuzz import answers, connections, exchanges, files, http2, rewriting, wire
from tests.test_hostile_files import SEEDS


class Target(NamedTuple):
    """A function of bytes that raises if a promise is broken."""

    run: Callable[[bytes], None]
    words: tuple[bytes, ...] = ()
    """Parts of inputs; libFuzzer's dictionary."""
    seeds: tuple[bytes, ...] = ()
    """Inputs to start from, besides the corpus."""


def texts(found: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(text.encode() for text in found)


TARGETS = {
    "file-text": Target(files.file_text, files.YAML_WORDS, texts(SEEDS)),
    "edits": Target(files.edits, files.EDIT_WORDS),
    "origins": Target(rewriting.origins, rewriting.ORIGIN_WORDS),
    "cookies": Target(rewriting.cookies, rewriting.COOKIE_WORDS),
    "links": Target(rewriting.links, rewriting.LINK_WORDS),
    "exchange": Target(exchanges.exchange, exchanges.WORDS),
    "unread": Target(answers.unread, answers.UNREAD_WORDS),
    "questions": Target(answers.questions),
    "requests": Target(connections.requests, connections.REQUEST_WORDS),
    "segments": Target(connections.segments),
    "frames": Target(http2.frames, (*http2.NAMES, *http2.VALUES)),
    "streams": Target(http2.streams, (*http2.NAMES, *http2.VALUES)),
    "field-blocks": Target(http2.field_blocks, http2.BLOCK_WORDS),
    "responses": Target(wire.responses, wire.RESPONSE_WORDS),
    "log-lines": Target(wire.log_lines, wire.LOG_WORDS),
}
