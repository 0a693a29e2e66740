"""A package whose submodules are imported without the rest of it.

`import aiohttp.http_parser` first imports aiohttp itself, and with it an HTTP client that
the proxy does not use and the certificates that it would trust: 5 MiB of memory, and a
tenth of a second of the start.

A package made lazy runs its own `__init__` when something is asked of it that is no
submodule. Whoever uses it sees no difference.
"""

import re
import sys
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec, module_from_spec
from types import ModuleType

_VERSION = re.compile(r'^__version__ = "([^"]*)"$', re.MULTILINE)


class _LazyPackage(ModuleType):
    """Stands in for a package until it is really needed, and then becomes it."""

    def __getattr__(self, name: str) -> object:
        submodule = f"{self.__name__}.{name}"
        if find_spec(submodule) is not None:
            return import_module(submodule)
        self.__class__ = ModuleType  # type: ignore[assignment] # the change that it was made for
        spec = self.__spec__
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module(self)
        return getattr(self, name)


def import_lazily(name: str) -> None:
    """Import the package `name` without running its `__init__` yet.

    Does nothing for one that is imported already, is missing, or is not read from source.
    """
    if name in sys.modules:
        return
    spec = find_spec(name)
    if spec is None or not isinstance(spec.loader, SourceFileLoader):
        return
    package = module_from_spec(spec)
    package.__class__ = _LazyPackage
    version = _VERSION.search(spec.loader.get_source(name) or "")
    if version is not None:
        # The one thing that submodules ask of their package.
        package.__dict__["__version__"] = version[1]
    sys.modules[name] = package
