"""Composes what a site tells the service from its file, its environment and its credentials.

The composing is pydantic-settings'. Its three sources are subclassed, because
an operator must learn of every mistake at once, with its line, and a secret in
the wrong place must not be repeated: the library's own sources pass over what
they do not know and forget where a value stood.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from sync.settings.environment import DELIMITER, PREFIX, EnvironmentSource
from sync.settings.models import SettingsFile
from sync.settings.secrets import CredentialsSource
from sync.settings.site import Site
from sync.settings.toml_file import TomlFileSource

WRITTEN = "written"


class Composed(BaseSettings):
    """``written`` is the file with the environment over it; ``credentials`` go by file name.

    They are two fields so that nothing that is written can pass for a credential.
    Raises pydantic's ValidationError, whose paths begin with the field.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        case_sensitive=True,
        extra="forbid",
        frozen=True,
        strict=True,
        hide_input_in_errors=True,
    )

    written: SettingsFile
    credentials: dict[str, SecretStr] = {}

    def __init__(self, sources: Sources) -> None:
        super().__init__(sources=sources)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Ours instead of those given, the one that wins first.

        The credentials come last: which of them are wanted is known only when
        the other two have been laid over each other.
        """
        sources: Sources = init_settings()["sources"]
        return sources.environment, sources.file, sources.credentials

    @classmethod
    def _settings_log_debug(cls, states: Mapping[str, Any]) -> None:
        """Nothing: the library's debug log would show what stands in the file."""


class Sources:
    """The three sources of a site. Raises FilesRefused where the file cannot be read."""

    def __init__(self, site: Site, environ: Mapping[str, str]) -> None:
        self.file = TomlFileSource(Composed, site.settings_file, WRITTEN)
        self.environment = EnvironmentSource(Composed, environ, WRITTEN, self.file.data)
        self.credentials = CredentialsSource(Composed, site.credentials, environ, WRITTEN)
