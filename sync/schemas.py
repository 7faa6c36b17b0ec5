"""JSON Schemas of the files that administrators edit, so that editors complete and check them.

Made from the same models that judge the files. A schema knows single fields: names,
kinds of value, which may be left out. What must fit between fields and files is
judged by ``tradesync check`` alone. What a field means is taken from the tables of
the READMEs that stand beside the files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from sync.mapping.models import AccountsFile, ChannelsFile, CodesFile, CustomersFile
from sync.mapping.reading import ACCOUNTS, CHANNELS, CODES, CUSTOMERS
from sync.settings import models as settings
from sync.settings.models import SettingsFile
from sync.templates import templates

SETTINGS = "tradesync.toml"
MODELS: Mapping[str, type[BaseModel]] = {
    CHANNELS: ChannelsFile,
    CUSTOMERS: CustomersFile,
    ACCOUNTS: AccountsFile,
    CODES: CodesFile,
    SETTINGS: SettingsFile,
}
# Which table of config/README.md speaks of which part of the settings.
_TABLES: Mapping[str, type[BaseModel]] = {
    "[service]": settings.ServiceSettings,
    "[systems.NAME]": settings.SystemEntry,
    "[systems.NAME.breaker]": settings.BreakerSettings,
    "[pipelines.NAME]": settings.PipelineEntry,
    "[pipelines.NAME.schedule]": settings.ScheduleSettings,
    "[pipelines.NAME.guards]": settings.GuardSettings,
    "[pipelines.NAME.orders]": settings.OrderSettings,
    "[pipelines.NAME.patience]": settings.PatienceSettings,
}
_HEADING = re.compile(r"## (.+)")
_TITLE = re.compile(r"\| `(\[[^`]+\])` \|")
_ROW = re.compile(r"\| ((?:`\w+`(?:, )?)+) \| ([^|]+) \|")
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")


def schema_of(file: str) -> dict[str, Any]:
    """The schema of this file. Raises KeyError for one that has none.

    Fields come without a description where the READMEs are not installed.
    """
    model = MODELS[file]
    schema = model.model_json_schema(schema_generator=_Generator)
    told = _meanings(file)
    for name, part in ((file, schema), *schema.get("$defs", {}).items()):
        scope = name if file == SETTINGS else file
        for field, entry in part.get("properties", {}).items():
            described = told.get((scope, field)) or told.get((scope, _of_any_flow(field)))
            if described is not None:
                entry["description"] = described
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": file}


def _meanings(file: str) -> dict[tuple[str, str], str]:
    """What the READMEs say of fields: by the file, or the part of the settings, and the name."""
    folder = templates()
    if folder is None:
        return {}
    page = folder / ("config" if file == SETTINGS else "mappings") / "README.md"
    found: dict[tuple[str, str], str] = {}
    scopes: list[str] = []
    for line in page.read_text(encoding="utf-8").splitlines() if page.is_file() else ():
        if heading := _HEADING.match(line):
            scopes = [name for name in MODELS if name in heading[1]]
        elif title := _TITLE.match(line):
            scopes = [_TABLES[title[1]].__name__] if title[1] in _TABLES else []
        elif row := _ROW.match(line):
            for name in re.findall(r"\w+", row[1]):
                for scope in scopes:
                    found.setdefault((scope, name), _LINK.sub(r"\1", row[2]))
    general = {name: text for (scope, name), text in found.items() if scope == "GuardSettings"}
    return found | {("GuardsEntry", name): text for name, text in general.items()}


def _of_any_flow(field: str) -> str:
    """As the README writes what each flow has: FLOW_cron."""
    return re.sub(r"^\w+_(every_s|cron)$", r"FLOW_\1", field)


def schema_name(file: str) -> str:
    """What the schema's own file is called."""
    return f"{file.rpartition('.')[0]}.schema.json"


class _Generator(GenerateJsonSchema):
    """Without defaults: what holds for a field that was left out often depends on others."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: object) -> bool:
        """A title that is only the name again would be all that an editor shows."""
        return False
