"""The lock files: everything that pyproject.toml requires, with hashes, and no registry's name."""

import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parent.parent
SETTINGS = tomllib.loads((PROJECT / "pyproject.toml").read_text())
GROUPS = SETTINGS["dependency-groups"]
PINNED = re.compile(
    r"^(?P<pin>[^\s#].*?) \\\n(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M
)
# Those whose packages serve the package itself, and so have its dependencies and extras, too.
WITH_PACKAGE = {"dev", "runtime"}
NAMES = ["build", "dev", "engines", "fuzz", "httpbin", "runtime"]


def text_of(name: str) -> str:
    return (PROJECT / "locks" / f"{name}.txt").read_text()


def of_group(name: str) -> Iterator[Requirement]:
    for each in GROUPS.get(name, []):
        match each:
            case {"include-group": included}:
                yield from of_group(included)
            case _:
                yield Requirement(each)


def of_package() -> Iterator[Requirement]:
    project = SETTINGS["project"]
    for text in chain(project["dependencies"], *project["optional-dependencies"].values()):
        requirement = Requirement(text)
        if requirement.name != project["name"]:
            yield requirement


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_has_what_is_asked_for(name: str) -> None:
    """After a change of the dependencies: `make lock`."""
    pins = [Requirement(match["pin"]) for match in PINNED.finditer(text_of(name))]
    wanted = [*of_group(name), *(of_package() if name in WITH_PACKAGE else [])]
    assert wanted
    missing = [
        str(requirement)
        for requirement in wanted
        if not any(
            canonicalize_name(pin.name) == canonicalize_name(requirement.name)
            and all(requirement.specifier.contains(each.version) for each in pin.specifier)
            for pin in pins
        )
    ]
    assert not missing, f"locks/{name}.txt lacks these; run `make lock`"


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_holds_pins_with_hashes_and_nothing_else(name: str) -> None:
    text = text_of(name)
    assert PINNED.sub("", text) == ""
    assert "://" not in text
    for match in PINNED.finditer(text):
        (specifier,) = Requirement(match["pin"]).specifier
        assert specifier.operator == "=="


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("name", NAMES)
def test_every_python_gets_each_package_once(name: str, version: str) -> None:
    here = {"python_version": version, "python_full_version": f"{version}.0"}
    pins = [Requirement(match["pin"]) for match in PINNED.finditer(text_of(name))]
    names = [pin.name for pin in pins if pin.marker is None or pin.marker.evaluate(here)]
    assert names
    assert len(set(names)) == len(names)
