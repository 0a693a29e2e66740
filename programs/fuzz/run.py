"""One target under Atheris: `python -m programs.fuzz.run TARGET [libFuzzer's own arguments]`.

Only the package is instrumented, so it must not have been imported before.
"""

import sys

import atheris

with atheris.instrument_imports(include=["corsproxy"]):
    from programs.fuzz.targets import TARGETS


def main() -> None:
    name, *arguments = sys.argv[1:]
    run = TARGETS[name].run

    def test_one_input(data: bytes) -> None:
        run(data)

    atheris.Setup([sys.argv[0], *arguments], test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
