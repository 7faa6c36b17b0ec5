"""What the engine needs from the outside, one small protocol per capability.

Ports speak in domain types, never in rows, dicts or responses, and raise only
the classes of ``sync.errors``.
"""
