"""A misspelled host finds the one that was meant, however many there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.origins.spellings import Spellings


def customer(number: int) -> str:
    """Return one of 10,000 names under one domain, of five to seven letters."""
    letters = [chr(ord("a") + number * factor // 7 % 26) for factor in (1, 5, 11, 17, 23, 31, 41)]
    return f"{''.join(letters[: 5 + number % 3])}.customers.example"


MANY = Spellings(customer(number) for number in range(10_000))

hosts = st.text("ab.", min_size=1, max_size=8)


def differ_in_one_place(one: str, other: str) -> bool:
    """Replace at most two characters by at most two others, anywhere."""
    return one != other and any(
        one[:at] == other[:at] and one[at + cut :] == other[at + put :]
        for at in range(len(one) + 1)
        for cut in range(3)
        for put in range(3)
        if at + cut <= len(one) and at + put <= len(other)
    )


@given(host=hosts, others=st.lists(hosts, max_size=32))
def test_few_hosts_are_all_compared(host: str, others: list[str]) -> None:
    long_enough = {other for other in others if min(len(host), len(other)) >= 4}
    near = {other for other in long_enough if differ_in_one_place(host, other)}
    assert set(Spellings(others).near(host)) == near


@pytest.mark.parametrize("number", range(0, 10_000, 1_999))
@pytest.mark.parametrize(
    ("place", "wrong"),
    {
        "a character too many": (slice(3, 3), "x"),
        "at the beginning": (slice(0, 0), "x"),
        "at the end of a label": (slice(5, 5), "x"),
        "a character too few": (slice(1, 2), ""),
        "other characters": (slice(2, 4), "zz"),
        "in the domain": (slice(12, 13), ""),
        "at the end": (slice(-1, None), ""),
    }.values(),
)
def test_one_of_ten_thousand_is_found(number: int, place: slice, wrong: str) -> None:
    meant = customer(number)
    written = list(meant)
    written[place] = wrong
    assert meant in MANY.near("".join(written))


def test_the_closest_comes_first() -> None:
    assert Spellings(["exmaple.com", "example.org", "example.co"]).near("example.com") == [
        "example.co",
        "exmaple.com",
    ]


def test_a_host_does_not_misspell_itself() -> None:
    assert Spellings(["example.com"]).near("example.com") == []
