"""A lazy package is imported in part, and complete for whoever asks for more."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from corsproxy.shell.system.lazy_package import import_lazily

NAME = "a_package_for_this_test"


@pytest.fixture
def _package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    directory = tmp_path / NAME
    directory.mkdir()
    (directory / "__init__.py").write_text(
        '__version__ = "1.2.3"\nfrom .heavy import Heavy\nfrom . import light\n'
    )
    (directory / "heavy.py").write_text("class Heavy: pass\n")
    (directory / "light.py").write_text("from . import __version__, other\nvalue = __version__\n")
    (directory / "other.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
        del sys.modules[name]


def is_loaded(submodule: str) -> bool:
    return f"{NAME}.{submodule}" in sys.modules


@pytest.mark.usefixtures("_package")
class TestLazyPackage:
    def test_a_submodule_comes_without_the_rest(self) -> None:
        import_lazily(NAME)
        light = importlib.import_module(f"{NAME}.light")
        assert light.value == "1.2.3"
        assert light.other.answer == 42
        assert not is_loaded("heavy")

    def test_the_rest_comes_when_it_is_asked_for(self) -> None:
        import_lazily(NAME)
        package = importlib.import_module(NAME)
        light = importlib.import_module(f"{NAME}.light")
        assert not is_loaded("heavy")
        assert package.Heavy.__module__ == f"{NAME}.heavy"
        assert package.light is light
        assert type(package) is type(sys)

    def test_a_submodule_is_an_attribute_as_it_would_be(self) -> None:
        import_lazily(NAME)
        assert importlib.import_module(NAME).other.answer == 42
        assert not is_loaded("heavy")

    def test_what_is_not_there_is_not_there(self) -> None:
        import_lazily(NAME)
        with pytest.raises(AttributeError, match="nothing"):
            _ = importlib.import_module(NAME).nothing

    def test_a_package_that_is_imported_already_stays_as_it_is(self) -> None:
        package = importlib.import_module(NAME)
        import_lazily(NAME)
        assert sys.modules[NAME] is package

    def test_a_version_that_is_not_found_loads_everything(self, tmp_path: Path) -> None:
        init = tmp_path / NAME / "__init__.py"
        init.write_text(init.read_text().replace('"1.2.3"', '"1" + ".0"'))
        import_lazily(NAME)
        assert importlib.import_module(f"{NAME}.light").value == "1.0"
        assert is_loaded("heavy")


def test_a_missing_package_is_nobodys_business_here() -> None:
    import_lazily("no_package_of_this_name")
    assert "no_package_of_this_name" not in sys.modules


def test_a_builtin_module_is_left_alone() -> None:
    module = sys.modules.pop("_opcode", None)
    import_lazily("_opcode")
    assert "_opcode" not in sys.modules
    if module is not None:
        sys.modules["_opcode"] = module
