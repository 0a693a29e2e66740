"""A descriptor that several threads write to."""

import os
import threading

from corsproxy.shell.feed.sink import Sink


def read_all(descriptor: int) -> bytes:
    with open(descriptor, "rb") as reader:
        return reader.read()


def test_pieces_are_not_interleaved() -> None:
    reader, writer = os.pipe()
    sink = Sink(writer)
    # More than a pipe holds: each piece is written in several parts.
    pieces = [bytes([letter]) * 200_000 for letter in b"abcd"]

    def write() -> None:
        threads = [threading.Thread(target=sink.put, args=[piece]) for piece in pieces]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        os.close(writer)

    writing = threading.Thread(target=write)
    writing.start()
    written = read_all(reader)
    writing.join()
    assert sorted(written[start : start + 200_000] for start in range(0, 800_000, 200_000)) == (
        pieces
    )


def test_a_non_blocking_descriptor_loses_nothing() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def write() -> None:
        Sink(writer).put(b"x" * 300_000)
        os.close(writer)

    writing = threading.Thread(target=write)
    writing.start()
    assert len(read_all(reader)) == 300_000
    writing.join()


def test_a_closed_pipe_is_noticed_and_costs_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    sink = Sink(writer)
    sink.put(b"lost\n")
    assert sink.gone
    os.close(writer)
    sink.put(b"lost, too\n")


def test_without_a_descriptor_lines_are_discarded() -> None:
    sink = Sink(None)
    sink.put(b"nowhere\n")
    assert sink.gone


def test_writing_resumes_when_a_full_disk_has_room() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    sink = Sink(descriptor)
    sink.put(b"lost\n")
    assert not sink.gone
    os.close(descriptor)
