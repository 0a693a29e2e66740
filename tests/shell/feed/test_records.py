"""What a record says about its request."""

from corsproxy.core.messages import Field
from corsproxy.shell.feed.records import ExchangeRecord
from tests import records


def record(*fields: Field) -> ExchangeRecord:
    return records.record(fields=fields)


def test_a_value_is_found_whatever_the_case_of_its_name() -> None:
    found = record((b"oRIGIN", b"a"), (b"Origin", b"b"), (b"TraceParent", b"c"))
    assert (found.origin, found.traceparent) == (b"a", b"c")


def test_a_missing_value_is_none() -> None:
    assert record((b"X", b"y")).origin is None
    assert record().traceparent is None
