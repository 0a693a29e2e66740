"""What the tests drive is there, or they say how to get it."""

import pytest

from tests.browser.programs import program


def test_a_missing_program_fails_with_the_way_to_install_it() -> None:
    with pytest.raises(pytest.fail.Exception, match="sudo apt-get install no-such-program"):
        program("no-such-program")


@pytest.mark.parametrize("name", ["chromium", "nginx"])
def test_a_program_is_found_where_debian_keeps_it(name: str) -> None:
    assert program(name).endswith(f"/{name}")
