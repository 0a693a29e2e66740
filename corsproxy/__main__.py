"""`python -m corsproxy` is the `corsproxy` command."""

from corsproxy.cli.main import main

if __name__ == "__main__":
    main()
