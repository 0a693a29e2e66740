"""Open event streams, counted by page."""

from corsproxy.core.messages import RequestHead
from corsproxy.shell.feed.open_streams import OpenStreams
from corsproxy.shell.feed.records import ExchangeRecord
from tests import records

PAGE = (b"Origin", b"http://localhost:5173")


def stream(*fields: tuple[bytes, bytes], is_http2: bool = False) -> ExchangeRecord:
    request = RequestHead("GET", b"/events", fields, client="127.0.0.1", is_http2=is_http2)
    return records.replaced(records.record(), request=request)


def test_the_streams_of_a_page_are_counted_while_they_are_open() -> None:
    counts: list[int] = []
    streams = OpenStreams(lambda _, count: counts.append(count))
    with streams.open(stream(PAGE)):
        with streams.open(stream(PAGE)), streams.open(stream((b"Origin", b"http://b.test"))):
            pass
        with streams.open(stream(PAGE)):
            pass
    with streams.open(stream(PAGE)):
        pass
    assert counts == [1, 2, 1, 2, 1]


def test_same_origin_pages_are_not_counted() -> None:
    counts: list[int] = []
    streams = OpenStreams(lambda _, count: counts.append(count))
    own = stream((b"Sec-Fetch-Site", b"same-origin"))
    with streams.open(own), streams.open(own):
        assert counts == [1, 2]


def test_http2_has_no_such_limit_and_programs_have_none() -> None:
    counts: list[int] = []
    streams = OpenStreams(lambda _, count: counts.append(count))
    for each in (stream(PAGE, is_http2=True), stream()):
        with streams.open(each), streams.open(each):
            pass
    assert counts == [0] * 4
