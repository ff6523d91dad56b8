"""verify_trail: is every change there, once, in order, unaltered, in every store?"""

from dataclasses import asdict
from datetime import timedelta

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from audittrail.integrity.findings import KINDS
from audittrail.integrity.report import VerificationReport
from audittrail.integrity.verify import store_names, verify

_SHOWN = 50


class Command(BaseCommand):
    help = (
        "Verify that the trail is complete and unaltered: database, search index and archive against the capture heads "
        "and each other, the chain of hashes of every article, and the heads against the live articles. "
        "Exit status 1, and a list, if anything is lost, repeated, forked or tampered with."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--article", metavar="ID", help="only this article, e.g. newsroom.article:42")
        parser.add_argument(
            "--incremental",
            action="store_true",
            help=(
                "only articles that changed since they were last verified, each from the last whole version that was "
                "verified on, and in the database only: quick, for every few minutes"
            ),
        )
        parser.add_argument(
            "--grace",
            type=float,
            default=60,
            metavar="SECONDS",
            help="what was published within this time may still be on its way (default: 60)",
        )
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *, article: str | None, incremental: bool, grace: float, json: bool, **options: object) -> None:
        report = self._verified(article, incremental, grace, quiet=json)
        if article and not (report.articles or any(report.events.values()) or report.findings):
            raise CommandError(f"--article {article}: no such article was captured. Write newsroom.article:42.")
        if json:
            self.stdout.write(orjson.dumps(_plain(report), option=orjson.OPT_INDENT_2).decode())
        else:
            width = None if self.stdout.isatty() else 160
            out = Console(file=self.stdout, width=width)  # type: ignore[arg-type]  # it writes text as a file does
            _show(report, incremental, out)
        if not report.complete:
            raise SystemExit(1)

    def _verified(self, article: str | None, incremental: bool, grace: float, quiet: bool) -> VerificationReport:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TextColumn("{task.completed} events"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), disable=quiet or not self.stderr.isatty()) as progress:
            tasks = {store: progress.add_task(store) for store in store_names()}
            return verify(
                article,
                grace=timedelta(seconds=grace),
                incremental=incremental,
                progress=lambda store, count: progress.advance(tasks[store], count),
            )


def _plain(report: VerificationReport) -> dict[str, object]:
    findings = [finding._asdict() for finding in report.findings]
    return {**asdict(report), "findings": findings, "complete": report.complete}


def _show(report: VerificationReport, incremental: bool, console: Console) -> None:
    table = Table("Store", "Events verified", "On their way")
    stores = ["database"] if incremental else list(report.events)
    for store in stores:
        table.add_row(store, f"{report.events[store]:,}", f"{report.pending[store]:,}")
    console.print(table)
    read = sum(report.events.values())
    rate = read / max(report.seconds, 0.001)
    console.print(f"{report.articles:,} articles in {report.seconds:.1f} s: {rate:,.0f} events a second.")
    if report.amended:
        console.print(
            f"{report.amended:,} events were amended before publication, as they broke the contract: "
            "each is marked, and the outbox keeps what was captured."
        )
    if report.set_aside:
        console.print(
            f"{report.set_aside:,} events are set aside at the source: see the timeline or the admin for why."
        )
    if report.complete:
        console.print(_all_is_well(report, sum(report.pending[store] for store in stores)))
        return
    _show_findings(report, console)


def _all_is_well(report: VerificationReport, pending: int) -> str:
    if not any(report.events.values()) and pending:
        return "Nothing has arrived yet, so nothing is verified."
    later = " What is on its way is not verified yet." if pending else ""
    return f"[green]The trail is complete: nothing is lost, repeated, forked or altered.{later}"


def _show_findings(report: VerificationReport, console: Console) -> None:
    table = Table(
        "Store", "Kind", "Article or object", "Sequence", "Detail", title=f"{len(report.findings):,} findings"
    )
    for finding in report.findings[:_SHOWN]:
        table.add_row(finding.store, finding.kind, finding.article_id, str(finding.sequence or ""), finding.detail)
    console.print(table)
    if len(report.findings) > _SHOWN:
        console.print(f"… and {len(report.findings) - _SHOWN:,} more: --json lists all.")
    for kind in sorted({finding.kind for finding in report.findings}):
        console.print(f"[bold]{kind}[/]: {KINDS[kind]}.")
