"""``tradesync demo``: the whole main job on a made-up distributor."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sync.cli.output import Exit, json_option
from sync.cli.shown import as_record, show_result
from sync.cli.site import guarded

if TYPE_CHECKING:
    from sync.bootstrap import Pipeline
    from sync.flows.context import FlowResult

# Fixed, so that the sample is the same everywhere and on every day.
SAMPLE_DAY = date(2026, 11, 1)


@click.command(epilog="\b\nExamples:\n  tradesync demo\n  tradesync demo --keep-running")
@click.option("--keep-running", is_flag=True, help="Afterwards run the daemon on the sample.")
@click.option(
    "--site", default=None, metavar="DIR", help="The sample site. Default: the source tree."
)
@json_option
@guarded
def demo(keep_running: bool, site: str | None, as_json: bool) -> None:
    """Build the sample once, run one cycle of all flows, and tell what came of it.

    The sample is an ERP database with its papers and a store in SQLite files under
    var/sample of the site. A second run finds nothing to do, and says so.
    """
    from sync.cli.progress import terminal_progress
    from sync.cli.resync import resume
    from sync.cli.site import settings_of
    from sync.flows.cycle import FLOWS, run_flow

    home = site or _source_tree()
    settings = settings_of(home)
    started = time.monotonic()
    _build(settings, quiet=as_json)
    results: list[FlowResult] = []
    took: dict[str, float] = {}
    from sync.bootstrap import open_installation, state_address
    from sync.scheduling.clock import SystemClock
    from sync.state.lock import hold_writer_lock

    with (
        _log_aside(settings.site.var) as log_file,
        hold_writer_lock(state_address(settings)),
        open_installation(settings, SystemClock()) as installation,
        terminal_progress(enabled=not as_json) as progress,
    ):
        line = installation.pipeline(None)
        resume(line)
        for flow in FLOWS:
            if flow == "documents":
                _print_confirmations(settings)
            begun = time.monotonic()
            result = run_flow(line.context(progress), flow)
            took[flow] = time.monotonic() - begun
            results.append(result)
            if not as_json:
                show_result(result, lines=3)
        told = _story(line, results)
    seconds = time.monotonic() - started
    if as_json:
        body = {
            "flows": [as_record(each) for each in results],
            **told,
            "seconds": round(seconds, 2),
        }
        click.echo(json.dumps(body, indent=2, ensure_ascii=False))
    else:
        took_s = sum(took.values())
        _tell(told, results, took_s, seconds, keep_running=keep_running, site=home)
        click.echo(f"Log lines of each step are in {_relative(log_file)}.")
    unwell = [result for result in results if result.outcome != "ok"]
    for result in unwell:
        # The way out stands a hundred lines further up.
        click.echo(f"{result.flow} did not end well ({result.outcome}): {result.message}", err=True)
    if keep_running:
        # The daemon tries such a flow again, and serves the others meanwhile.
        _keep_running(home)
    elif unwell:
        raise click.exceptions.Exit(Exit.FAILED)


@contextmanager
def _log_aside(var: Path) -> Iterator[Path]:
    """Log lines go into a file meanwhile: among them nobody would find the summary."""
    from sync.logs import configure

    var.mkdir(parents=True, exist_ok=True)
    file = var / "demo.log"
    with file.open("w", encoding="utf-8") as out:
        configure("info", "text", out)
        try:
            yield file
        finally:
            configure("warning", "text")


def _relative(path: Path) -> str:
    return os.path.relpath(path)


def _source_tree() -> str:
    """The folder with the sample's config/ and mappings/."""
    here = Path(__file__).resolve().parents[2]
    if (here / "config").is_dir():
        return str(here)
    return os.environ.get("TRADESYNC_SITE", ".")


def _build(settings: Any, *, quiet: bool) -> None:
    from sync.errors import Misconfigured
    from sync.sample.build import build_sample, sample_is_built, sample_lacks

    urls = {}
    for system in settings.systems.values():
        if system.kind != "files":
            urls[system.kind] = _absolute(str(system.options["url"]), settings.site.root)
    if sample_is_built(urls["erp"], urls["store"]):
        lacks = sample_lacks(urls["erp"], urls["store"])
        if lacks:
            var = settings.site.root / "var"
            raise Misconfigured(
                f"the sample under {var} was built by an earlier release (it lacks {lacks[0]}); "
                f"nothing but the sample's own files is there: remove {var}, then start again"
            )
        return
    if not quiet:
        click.echo("Building the sample distributor (ERP and store databases) ...")
    counts = build_sample(urls["erp"], urls["store"], today=SAMPLE_DAY)
    if not quiet:
        click.echo(f"Built: {counts}")


def _print_confirmations(settings: Any) -> None:
    """What the people at the ERP do meanwhile: they confirm the orders that came in."""
    from sync.sample.back_office import print_confirmations
    from sync.sample.build import papers_of

    [erp] = [each for each in settings.systems.values() if each.kind == "erp"]
    url = _absolute(str(erp.options["url"]), settings.site.root)
    folder = papers_of(url)
    if folder is not None:
        print_confirmations(url, folder, SAMPLE_DAY)


def _absolute(url: str, base: Path) -> str:
    """A SQLite URL with its file below the site."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return url
    return parsed.set(database=str(base / parsed.database)).render_as_string(hide_password=False)


def _story(line: Pipeline, results: list[FlowResult]) -> dict[str, Any]:
    from sync.ports.state import LedgerFilter, LedgerState

    with line.state.transaction() as state:
        counts = state.ledger.counts()
        held = state.ledger.entries(LedgerFilter(states=frozenset({LedgerState.QUARANTINED})))
    return {
        "orders": {each.value: number for each, number in counts.items() if number},
        "writes": sum(result.writes for result in results),
        "quarantined": [
            {
                "order": entry.number,
                "code": problem.code,
                "rule": problem.rule,
                "why": problem.sentence,
                "fix": problem.remedy,
            }
            for entry in held
            for problem in entry.problems
        ],
    }


def _tell(
    told: dict[str, Any],
    results: list[FlowResult],
    cycle_s: float,
    all_s: float,
    *,
    keep_running: bool,
    site: str,
) -> None:
    from sync.cli.output import emit

    if told["writes"] == 0 and all(result.outcome == "ok" for result in results):
        click.echo("\nNothing to do: both sides agree, and nothing was written.")
    if told["quarantined"]:
        click.echo("")
        emit(
            sorted(told["quarantined"], key=lambda row: (row["code"], row["order"])),
            {"order": "Order", "code": "Code", "rule": "Rule", "why": "Why"},
            False,
            "In quarantine",
        )
    orders = ", ".join(f"{number} {name}" for name, number in told["orders"].items())
    click.echo(f"\nOrders: {orders}.")
    click.echo(f"The cycle took {cycle_s:.1f} s, everything {all_s:.1f} s.")
    example = told["quarantined"][0]["order"] if told["quarantined"] else "ORDER"
    command, where = _command(), f" --site {shlex.quote(_relative(Path(site)))}"
    click.echo(
        "\nTry next:\n"
        f"  {command} --help\n"
        f"  {command} explain order {example}{where}\n"
        f"  {command} quarantine show {example}{where}    (with the way out of each order)\n"
        f"  {command} registrations list{where}\n"
        f"  {command} plan all{where}"
    )
    if not keep_running:
        keep = "make up" if _runs_from_the_tree(site) else f"{command} demo --keep-running{where}"
        click.echo(f"  {keep}    (keeps the daemon running on the sample)")


def _runs_from_the_tree(site: str) -> bool:
    """Whether `make up` means this sample."""
    return Path(site).resolve() == Path.cwd() and Path("Makefile").is_file()


def _command() -> str:
    """The command as it can be typed here: by its name, or by its place below this folder."""
    script = Path(sys.argv[0])
    if shutil.which("tradesync") is None and script.name == "tradesync" and script.exists():
        return os.path.relpath(script)
    return "tradesync"


def _keep_running(site: str) -> None:
    from sync.logs import configure
    from sync.scheduling.daemon import Daemon
    from sync.settings import load_settings, resolve_site

    settings = load_settings(resolve_site(site, os.environ), os.environ)
    configure(settings.service.log_level, "text")
    click.echo("\nThe daemon runs on the sample. Ctrl-C stops it.")
    daemon = Daemon(settings, os.environ)
    daemon.listen_to_signals()
    daemon.run()
