"""The `corsproxy` command, also `python -m corsproxy`. Ctrl-C works while it still loads."""

import sys


def main() -> None:
    """Load the command line and run it."""
    try:
        from corsproxy.cli.main import main as run
    except KeyboardInterrupt:
        # The shell's exit code for a program ended by Ctrl-C.
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
