"""Fakes, builders, faults and the contract suites that every adapter must pass.

Shipped with the service, so that authors of other adapters can hold theirs to
the same contracts. Needs pytest, which an installed service does not have.
"""
