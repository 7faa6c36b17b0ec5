"""Tryton 8 over JSON-RPC. README.md tells administrators what to set up there."""
