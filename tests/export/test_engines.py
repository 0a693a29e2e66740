"""What an export begins with."""

from pathlib import Path

import pytest

from corsproxy.export.engines import ENGINES, NothingToExportError, engine_of
from tests.export.reading import GOOD, exported


@pytest.mark.parametrize("engine", ENGINES)
def test_the_header_lists_versions_and_losses(engine: str) -> None:
    found = exported(engine, f"{GOOD}trusted_proxies: [10.0.0.0/8]\n")
    top = found.text.partition("\n\n")[0]
    assert all(line.startswith("#") for line in top.splitlines())
    assert "Tested with " in top
    assert all(words.split(";")[0] in top for words in found.always)
    assert all(str(loss) in top for loss in found.losses)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_file_makes_the_same_text(engine: str) -> None:
    assert exported(engine, GOOD) == exported(engine, GOOD)
    assert "corsproxy.yaml:2" in exported(engine, GOOD).text


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_without_an_exportable_listener_is_an_error(engine: str) -> None:
    with pytest.raises(NothingToExportError, match="left out"):
        exported(engine, f"listen: https://localhost:8443\n{GOOD}")


@pytest.mark.parametrize("engine", [each for each in ENGINES if each != "gateway-api"])
def test_requests_carry_the_name_in_via(engine: str) -> None:
    assert "1.1 corsproxy" in exported(engine, GOOD).text
    named = exported(engine, f"via: edge\n{GOOD}").text
    assert "1.1 edge" in named
    assert "1.1 corsproxy" not in named
    assert "1.1 " not in exported(engine, f"via: false\n{GOOD}").text.partition("\n\n")[2]


PAGES = Path(__file__).parents[2] / "docs" / "export"


@pytest.mark.parametrize("engine", ENGINES)
def test_the_documentation_lists_the_constant_losses(engine: str) -> None:
    page = " ".join((PAGES / f"{engine}.md").read_text().split())
    assert all(words in page for words in engine_of(engine).always)
    assert f"corsproxy export {engine}" in page
    assert f"[{engine}]({engine}.md)" in (PAGES / "README.md").read_text()
