"""The programs that the tests use are found, or the failure says how to install them."""

from pathlib import Path

import pytest

from tests.browser.programs import httpbin_gunicorn, program


def test_a_missing_program_fails_with_install_instructions() -> None:
    with pytest.raises(pytest.fail.Exception, match="sudo apt-get install no-such-program"):
        program("no-such-program")


@pytest.mark.parametrize("name", ["chromium", "nginx"])
def test_a_program_is_found_in_sbin(name: str) -> None:
    assert program(name).endswith(f"/{name}")


def test_a_missing_httpbin_fails_with_install_instructions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTPBIN_ENVIRONMENT", str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match=f"{tmp_path}/bin/pip install httpbin gunicorn"):
        httpbin_gunicorn()


def test_httpbin_is_found_beside_the_test_environment() -> None:
    assert httpbin_gunicorn().endswith("/bin/gunicorn")
