"""A worker's lines are passed on completely, or not at all."""

import os
import select
import threading

from corsproxy.shell.feed.sink import Sink
from corsproxy.shell.workers.line_relay import LineRelay


class Relayed:
    """A relay between two pipes."""

    def __init__(self) -> None:
        source, self.writer = os.pipe()
        self.reader, self._target = os.pipe()
        self.relay = LineRelay(source, Sink(self._target))

    def finish(self) -> bytes:
        """End the writer; returns what has been passed on and not read."""
        os.close(self.writer)
        self.relay.join(10)
        os.close(self._target)
        with open(self.reader, "rb") as reader:
            return reader.read()


def test_lines_are_passed_on_when_they_are_whole() -> None:
    relayed = Relayed()
    os.write(relayed.writer, b"one\ntw")
    assert os.read(relayed.reader, 100) == b"one\n"
    os.write(relayed.writer, b"o\nthree\n")
    assert os.read(relayed.reader, 100) == b"two\nthree\n"
    assert relayed.finish() == b""


def test_a_line_that_was_cut_off_is_not_passed_on() -> None:
    relayed = Relayed()
    os.write(relayed.writer, b'{"whole": 1}\n{"cut": ')
    assert relayed.finish() == b'{"whole": 1}\n'


def test_an_endless_line_is_not_kept_forever() -> None:
    relayed = Relayed()
    endless = b"x" * (2 << 20)
    seen = threading.Event()

    def write() -> None:
        os.write(relayed.writer, endless)
        seen.wait()
        os.write(relayed.writer, b"\nafter\n")

    # The relay holds up its writers while nothing reads: one thread cannot do both.
    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    assert select.select([relayed.reader], [], [], 10)[0], "before the line has ended"
    seen.set()
    passed_on = b""
    while not passed_on.endswith(b"\nafter\n"):
        passed_on += os.read(relayed.reader, 65536)
    writing.join()
    assert passed_on == endless + b"\nafter\n"
    assert relayed.finish() == b""
