"""The ERP adapters that come with tradesync.

An adapter's name in the settings leads here to where its class lives. Nothing
is imported until ``sync.bootstrap`` needs the adapter that a site has chosen,
so a site whose ERP exchanges files never needs an ODBC driver. Adapters by
other authors register under the entry point group ``tradesync.erp_adapters``.
"""

REGISTRY: dict[str, str] = {"sql": "erp_adapters.sql.adapter:SqlErpAdapter"}
"""Adapter name -> ``package.module:Class``."""
