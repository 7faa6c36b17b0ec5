"""Where the files of documents can lie, a sub-package for each kind of place.

A place's adapter in the settings leads here to where its class lives. Nothing is
imported until ``sync.bootstrap`` needs it. Others register under the entry point
group ``tradesync.files``.
"""

REGISTRY: dict[str, str] = {
    "folder": "sync.files.folder.adapter:FolderFiles",
    "s3": "sync.files.s3.adapter:S3Files",
}
"""Adapter name -> ``package.module:Class``."""
