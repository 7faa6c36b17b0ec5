"""The commerce stores that tradesync can work with, a sub-package for each.

A store's name in the settings leads here to where its class lives. Nothing is
imported until ``sync.bootstrap`` needs the store that a site has chosen. Stores
by other authors register under the entry point group ``tradesync.stores``.
"""

REGISTRY: dict[str, str] = {
    "embedded": "sync.stores.embedded.adapter:EmbeddedStore",
    "medusa": "sync.stores.medusa.adapter:MedusaStore",
}
"""Store name -> ``package.module:Class``."""
