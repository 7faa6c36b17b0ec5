"""The ``tradesync`` command, a module per sub-command."""
