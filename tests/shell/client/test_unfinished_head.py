"""A head that has not ended: kept, measured, forgotten."""

from corsproxy.core.policy import Limits
from corsproxy.shell.client.unfinished_head import UnfinishedHead


def test_it_begins_behind_empty_lines() -> None:
    head = UnfinishedHead(Limits())
    assert not head.add(b"\r\n\r\n")
    assert not head
    assert head.add(b"\r\nGET")
    assert not head.add(b"\r\n / ")
    assert head.take() == b"GET\r\n / "
    assert not head
    assert head.take() == b""


def test_more_than_any_accepted_head_is_too_large() -> None:
    head = UnfinishedHead(Limits(target=10, field_section=10))
    head.add(b"a" * 1044)
    assert not head.is_too_large
    head.add(b"a")
    assert head.is_too_large
