"""What the compiler reads in the sources, where there is no compiler.

Not compiled itself: a compiled module cannot have a name that is one thing to the type checker and
another at run time.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr
else:

    def mypyc_attr(**_):
        """Decorate nothing."""
        return lambda decorated: decorated


__all__ = ["mypyc_attr"]
