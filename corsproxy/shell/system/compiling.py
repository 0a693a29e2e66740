"""Stand-ins for the names of mypyc that the sources use, for when it is not installed.

This module is not compiled: a compiled module cannot have a name that is one thing to the
type checker and another at run time.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr
else:

    def mypyc_attr(**_):
        """Decorate nothing."""
        return lambda decorated: decorated


__all__ = ["mypyc_attr"]
