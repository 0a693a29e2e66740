"""The `corsproxy` command, also `python -m corsproxy`. Signals end it properly while it loads."""

import gc
import sys

from corsproxy.cli.commands import code_at_interrupt


def main() -> None:
    """Load the command line and run it."""
    # Most of what a command makes is of use until it ends. Looking for garbage among modules, and
    # among the values of a long file, again and again, takes a fifth of the time.
    gc.disable()
    try:
        from corsproxy.cli.ending import interruptible

        with interruptible(sys.argv[1:]):
            from corsproxy.cli.main import main as run

            run()
    except KeyboardInterrupt:  # before `interruptible` has set its handlers
        sys.exit(code_at_interrupt(sys.argv[1:]))


if __name__ == "__main__":
    main()
