"""Allowlist files in the many layouts that people and programs give them."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Literal, NamedTuple

from hypothesis import strategies as st

Style = Literal[
    "block", "flow", "flow-lines", "flow-lines-comma", "flow-first-comma", "flow-aligned", "one"
]

STYLES: tuple[Style, ...] = (
    "block", "flow", "flow-lines", "flow-lines-comma", "flow-first-comma", "flow-aligned", "one",
)  # fmt: skip

COMMENTS = ("", "  # the app", "\t# tabs\tand [brackets], - dashes", " #ünïcödé ✓ 'quote", "   ")


class Written(NamedTuple):
    """How a file with one list of origins is written."""

    style: Style
    step: int = 2
    dash: int = 2
    gap: str = " "
    quote: str = ""
    comment: str = ""
    newline: str = "\n"
    last_newline: bool = True
    mark: bool = False
    between: bool = False
    behind: bool = True

    def file(self, origins: Sequence[str]) -> bytes:
        """Return the file that allows `origins`."""
        indent = " " * self.step
        lines = ["# The API.", f"upstream: https://api.example.com{self.comment}", ""]
        lines += [f"cors:{self.comment}", *self._list(indent, origins)]
        if self.behind:
            lines += [
                f"{indent}# the rest",
                f"{indent}max_age: 10m{self.comment}",
                "",
                "via: false",
            ]
        text = self.newline.join(lines) + (self.newline if self.last_newline else "")
        return (b"\xef\xbb\xbf" if self.mark else b"") + text.encode()

    def _list(self, indent: str, origins: Sequence[str]) -> Iterator[str]:
        items = [f"{self.quote}{origin}{self.quote}" for origin in origins]
        key = f"{indent}allow_origins:"
        match self.style:
            case "block":
                yield key + self.comment
                for item in items:
                    if self.between:
                        yield ""
                        yield f"{indent}# - http://not.listed"
                    yield f"{indent}{' ' * self.dash}-{self.gap}{item}{self.comment}"
            case "flow":
                yield f"{key} [ {', '.join(items)} ]{self.comment}"
            case "one":
                yield f"{key} {items[0]}{self.comment}"
            case "flow-first-comma":
                yield f"{key} [ {items[0]}{self.comment}"
                for item in items[1:]:
                    yield f"{indent}   , {item}{self.comment}"
                yield f"{indent}]"
            case "flow-aligned":
                yield f"{key} [{items[0]}{',' if items[1:] else ']'}{self.comment}"
                for place, item in enumerate(items[1:], 2):
                    end = "]" if place == len(items) else ","
                    yield f"{' ' * (len(key) + 2)}{item}{end}{self.comment}"
            case _:
                yield f"{key} ["
                for place, item in enumerate(items, 1):
                    last = place == len(items) and self.style == "flow-lines"
                    yield f"{indent}{indent}{item}{'' if last else ','}{self.comment}"
                yield f"{indent}]"


layouts = st.builds(
    Written,
    style=st.sampled_from(STYLES),
    step=st.integers(1, 8),
    dash=st.integers(0, 5),
    gap=st.sampled_from([" ", "   "]),
    quote=st.sampled_from(["", "'", '"']),
    comment=st.sampled_from(COMMENTS),
    newline=st.sampled_from(["\n", "\r\n"]),
    last_newline=st.booleans(),
    mark=st.booleans(),
    between=st.booleans(),
    behind=st.booleans(),
)

GRID = [
    Written(style, step, dash, " ", quote, comment, newline, last, mark, between, behind)
    for style, (step, dash), quote, comment, (newline, last, mark, between, behind) in product(
        STYLES,
        [(2, 0), (3, 2)],
        ["", '"'],
        ["", COMMENTS[2]],
        [
            ("\n", True, False, False, True),
            ("\r\n", False, True, True, False),
            ("\n", False, False, False, False),
        ],
    )
]
