"""The corpus is replayed: what a fuzzer has reached once stays as it should be."""

import pytest

from programs.fuzz.corpus import DIRECTORY, load
from programs.fuzz.draw import Draw
from programs.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_breaks_a_promise(name: str) -> None:
    inputs = load(name)
    assert len(inputs) > 4
    for data in (b"", *inputs):
        TARGETS[name].run(data)


def test_there_is_a_target_for_each_corpus_and_they_are_small() -> None:
    files = list(DIRECTORY.iterdir())
    assert {file.stem for file in files} == set(TARGETS)
    assert sum(file.stat().st_size for file in files) < 1_000_000


def test_every_input_can_be_drawn_from() -> None:
    draw = Draw(b"\x05\x02ab\x01")
    assert draw.pick("xyz") == "z"
    assert draw.string() == b"ab"
    assert draw.flag()
    assert not draw
    assert (draw.number(), draw.string(), draw.flag(), draw.rest()) == (0, b"", False, b"")
