"""Mapping files: read, checked, and turned into what the engine decides with.

People edit these files by hand. So everything that is wrong is told at once,
each with file, line and column, and a file that is refused never replaces the
mapping that is in force.
"""

from sync.mapping.problems import FileProblem, FilesRefused
from sync.mapping.reading import FILES, CheckedFiles, check_texts, mapping_from_texts, version_of
from sync.mapping.source import (
    LoadedMapping,
    MappingSource,
    judged_against,
    read_mapping,
    read_texts,
)

__all__ = [
    "FILES",
    "CheckedFiles",
    "FileProblem",
    "FilesRefused",
    "LoadedMapping",
    "MappingSource",
    "check_texts",
    "judged_against",
    "mapping_from_texts",
    "read_mapping",
    "read_texts",
    "version_of",
]
