"""Flags that take a duration."""

import click
import pytest

from corsproxy.cli.durations import duration

PARAM = click.Option(["--drain-delay"])
CONTEXT = click.Context(click.Command("serve"))


@pytest.mark.parametrize(("text", "seconds"), [("5s", 5.0), ("0", 0.0), ("1m30s", 90.0)])
def test_durations_as_the_file_has_them(text: str, seconds: float) -> None:
    assert duration(CONTEXT, PARAM, text) == seconds


def test_a_missing_flag_leaves_the_files_value() -> None:
    assert duration(CONTEXT, PARAM, None) is None


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1:30", "400d", "1e9"])
def test_a_bad_duration_is_a_usage_error(text: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        duration(CONTEXT, PARAM, text)
    assert caught.value.exit_code == 2
