"""``python -m sync`` is the ``tradesync`` command."""

from sync.cli.main import main

if __name__ == "__main__":
    main()
