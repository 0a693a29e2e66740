"""The `corsproxy` command, `python -m corsproxy` too. It may be left while it still loads."""

import sys


def main() -> None:
    """Load the command line and run it."""
    try:
        from corsproxy.cli.main import main as run
    except KeyboardInterrupt:
        # What shells say of a program that Ctrl-C has ended.
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
