"""The ERP adapters that come with tradesync.

An adapter's name in the settings leads here to where its class lives. Nothing
is imported until ``sync.bootstrap`` needs the adapter that a site has chosen,
so a site whose ERP exchanges files never needs an ODBC driver. Adapters by
other authors register under the entry point group ``tradesync.erp_adapters``.
"""

REGISTRY: dict[str, str] = {
    "csv_folder": "erp_adapters.csv_folder.adapter:CsvFolderAdapter",
    "sql": "erp_adapters.sql.adapter:SqlErpAdapter",
    "tryton": "erp_adapters.tryton.adapter:TrytonErpAdapter",
}
"""Adapter name -> ``package.module:Class``."""
