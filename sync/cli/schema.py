"""``tradesync schema``: what editors need to complete and check the files."""

from __future__ import annotations

import json
from pathlib import Path

import click

from sync.cli.output import fail
from sync.cli.site import guarded


@click.command(
    epilog="\b\nExamples:\n  tradesync schema channels.yaml\n"
    "  tradesync schema --into /etc/tradesync/schemas"
)
@click.argument("file", required=False)
@click.option(
    "--into",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the schemas of all files into this folder, and say how editors find them.",
)
@guarded
def schema(file: str | None, folder: Path | None) -> None:
    """Print the JSON Schema of FILE, or list the files that have one.

    Made from the models that judge the files, so it knows every field. For
    customers.csv there is none: its columns are in mappings/README.md.
    """
    from sync.schemas import MODELS, schema_of

    if folder is not None:
        if file is not None:
            raise click.UsageError("Name FILE, or --into for all of them.")
        _write_all(folder)
    elif file is None:
        click.echo("\n".join(MODELS))
    elif file not in MODELS:
        raise click.UsageError(f"There is no schema of {file}; there are: {', '.join(MODELS)}")
    else:
        click.echo(json.dumps(schema_of(file), indent=2, ensure_ascii=False))


def _write_all(folder: Path) -> None:
    from sync.schemas import MODELS, schema_name, schema_of

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in MODELS:
            text = json.dumps(schema_of(file), indent=2, ensure_ascii=False) + "\n"
            (folder / schema_name(file)).write_text(text, encoding="utf-8")
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        fail(f"{error.filename or folder} cannot be written: {why}. Look at the folder's rights.")
    click.echo("Write this as the first line of the file, with the path as your editor sees it:")
    for file in MODELS:
        mark = "#:schema " if file.endswith(".toml") else "# yaml-language-server: $schema="
        click.echo(f"  {file}: {mark}{folder.resolve() / schema_name(file)}")
