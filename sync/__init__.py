"""Tradesync keeps ERPs and web stores in step."""

__version__ = "0.1.0"
