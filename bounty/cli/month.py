"""Commands for the steps of a month: terms, roster, settlement, approval, notice, export."""

from pathlib import Path

import click
from sqlalchemy import Connection

from bounty.checks.books import run_checks
from bounty.cli.context import open_books, period_argument, programme_option
from bounty.cli.identity import as_option, books_as, books_as_anyone
from bounty.cli.output import echo_json, json_option, period_keys, several, signed_yuan
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.files.file_types import require_file
from bounty.json_types import JsonObject
from bounty.models import ChangeCause
from bounty.money import grouped_yuan
from bounty.notices import service as publication
from bounty.notices.period_status import period_status
from bounty.notices.service import MeasuredResult, NoticeRow
from bounty.release.service import approve_seen, keep_checks, publish_checked, run_checks_once
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms, open_period, terms_in_force
from bounty.rules.periods import Period
from bounty.rules.terms_text import terms_in_words
from bounty.settlement import service as settlement
from bounty.sync.coverage import coverage_of


def read_terms_file(file: Path) -> str:
    """The text of a file of terms. Raises BountyError where it can't be read or is not UTF-8."""
    require_file(file)
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BountyError(f"{file} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise BountyError(
            f"{file}: terms are UTF-8 text, and byte {error.start} is not: save the file as UTF-8."
        ) from None


@click.group()
def terms() -> None:
    """Add and show versions of the terms."""


@terms.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@programme_option
@json_option
def terms_add(file: Path, programme: str, *, as_json: bool) -> None:
    """Add a version of the terms from a TOML file. The same content again changes nothing."""
    toml = read_terms_file(file)
    books = open_books()
    with transaction(books.engine) as connection:
        added, is_new = add_terms(connection, toml, books.now(), programme)
    effective = Period.parse(added.effective_from, programme)
    if as_json:
        at = {"programme": programme, "effective_from": effective.name}
        echo_json({**at, "terms_sha256": added.sha256, "changed": is_new})
        return
    state = "added" if is_new else "held already"
    click.echo(f"terms from {effective} {state}\nterms sha256:{added.sha256}")


@terms.command("show")
@period_argument
@json_option
def terms_show(period: Period, *, as_json: bool) -> None:
    """Show the terms in force in a period as TOML, with their hash and their text in comments above."""
    with snapshot(open_books().engine) as connection:
        in_force = terms_in_force(connection, period)
    if as_json:
        zh, en = (list(terms_in_words(in_force.terms, chinese=chinese)) for chinese in (True, False))
        echo_json(
            {
                **period_keys(period),
                "terms_sha256": in_force.sha256,
                "toml": in_force.toml,
                "zh": zh,
                "en": en,
            }
        )
        return
    click.echo(f"# terms of {period}\n# sha256:{in_force.sha256}")
    for chinese in (True, False):
        click.echo("#")
        for sentence in terms_in_words(in_force.terms, chinese=chinese):
            click.echo(f"# {sentence}")
    click.echo()
    click.echo(in_force.toml.rstrip("\n"))


@click.command("open")
@period_argument
@json_option
def open_(period: Period, *, as_json: bool) -> None:
    """Freeze the roster of a period: levels, eligibility and targets, from the present data."""
    books = open_books()
    with transaction(books.engine) as connection:
        opening = open_roster(connection, period, books.now())
    if as_json:
        echo_json(
            {
                **period_keys(period),
                "on_roster": opening.on_roster,
                "eligible": opening.eligible,
                "ineligible": opening.reasons,
                "history": opening.history,
                "changed": opening.created,
            }
        )
        return
    state = "opened" if opening.created else "open already, nothing changed"
    click.echo(f"{period} {state}: {opening.on_roster:,} on the roster, {opening.eligible:,} eligible")
    for reason, promoters in opening.reasons.items():
        click.echo(f"  {reason} {promoters:,}")
    for month, orders in opening.history.items():
        click.echo(f"  history {month}: {several(orders, 'order')}")


@click.command()
@period_argument
@as_option
@json_option
def settle(period: Period, email: str | None, *, as_json: bool) -> None:
    """Compute a draft settlement of a period. Unchanged data gives the existing draft.

    A draft that an account made (--as) needs the approval of one other account; a draft made without one needs two.
    """
    books = books_as_anyone(email, "operator")
    with transaction(books.engine) as connection:
        settled = settlement.settle(connection, period, books.now())
        coverage = coverage_of(connection, open_period(connection, period))
    run_checks_once(books.engine, period, books.now())
    if as_json:
        echo_json(
            {
                **period_keys(period),
                **settled.as_json(),
                "gaps": len(coverage.gaps) if coverage.is_required else None,
                "changed": settled.created,
            }
        )
        return
    state = "made" if settled.created else "stands already, on the same facts"
    click.echo(f"settlement {settled.settlement_id} of {period} {state}")
    click.echo(f"content sha256:{settled.content_sha256}")
    click.echo(sums_in_words(settled.results.rows, settled.lines.rows, settled.lines.sum_fen))
    waits = "waits" if settled.quarantined == 1 else "wait"
    click.echo(f"{several(settled.quarantined, 'quarantined row')} of the month {waits}")
    if coverage.is_required:
        click.echo(f"{several(len(coverage.gaps), 'gap')} in what was fetched from the platform")


def sums_in_words(results: int, lines: int, subsidy_fen: int) -> str:
    """The sums of a settlement, for a sentence."""
    return f"{several(results, 'result')}, {several(lines, 'line')}, subsidy {grouped_yuan(subsidy_fen)}"


@click.command()
@period_argument
@as_option
@json_option
def approve(period: Period, email: str | None, *, as_json: bool) -> None:
    """Approve the newest draft of a period, which somebody else made. Runs the checks first."""
    books = books_as(email, "operator", "finance")
    with snapshot(books.engine) as connection:
        draft = period_status(connection, period, books.now()).draft
        if draft is None:
            raise BountyError(f"{period} has no draft: make one with `bounty settle {period}`.")
        findings = list(run_checks(connection))
    with transaction(books.engine) as connection:
        keep_checks(connection, period, findings, books.now())
        approve_seen(connection, period, draft.settlement_id, draft.content_sha256, books.now())
    if as_json:
        number, content = draft.settlement_id, draft.content_sha256
        echo_json({**period_keys(period), "settlement": number, "content_sha256": content})
        return
    click.echo(f"settlement {draft.settlement_id} of {period} approved")
    click.echo(f"content sha256:{draft.content_sha256}")


@click.command()
@period_argument
@as_option
@json_option
def publish(period: Period, email: str | None, *, as_json: bool) -> None:
    """Publish the newest draft of a period as its next notice. Its rows never change after that."""
    # The checklist and a missing approval are reported before a missing log-in.
    books = books_as_anyone(email, "operator")
    run_checks_once(books.engine, period, books.now())
    with transaction(books.engine) as connection:
        notice = publish_checked(connection, period, books.now(), approval_required=books.approval_required)
    if as_json:
        numbers = {"notice": notice.notice, "settlement": notice.settlement_id}
        content = {"content_sha256": notice.content_sha256, "changed": notice.created}
        echo_json({**period_keys(period), **numbers, **content})
        return
    state = "published" if notice.created else "stands already, with the same content"
    click.echo(f"notice {notice.notice} of {period} {state} (settlement {notice.settlement_id})")
    click.echo(f"content sha256:{notice.content_sha256}")


@click.command()
@period_argument
@click.option("--number", type=int, help="The number of the notice; the newest if not given.")
@json_option
def notice(period: Period, number: int | None, *, as_json: bool) -> None:
    """Show a notice of a period: its sums, and its changes from the previous notice with their causes."""
    with snapshot(open_books().engine) as connection:
        chosen = publication.chosen_notice(connection, period, number)
        before = publication.notice_before(connection, period, chosen.notice)
        if as_json:
            echo_json(_notice_json(connection, period, chosen, before))
            return
        click.echo(f"notice {chosen.notice} of {period}, published {shown(chosen.published_at)}")
        click.echo(f"settlement {chosen.settlement_id} of {shown(chosen.settled_at)}")
        click.echo(f"content sha256:{chosen.content_sha256}")
        click.echo(sums_in_words(chosen.results_rows, chosen.lines_rows, chosen.subsidy_fen))
        if before is not None:
            _echo_changes(connection, period, chosen, before)


def _notice_json(
    connection: Connection, period: Period, chosen: NoticeRow, before: NoticeRow | None
) -> JsonObject:
    found: JsonObject = {
        **period_keys(period),
        "notice": chosen.notice,
        "published_at": shown(chosen.published_at),
        "settlement": chosen.settlement_id,
        "settled_at": shown(chosen.settled_at),
        "content_sha256": chosen.content_sha256,
        "results": chosen.results_rows,
        "lines": chosen.lines_rows,
        "subsidy_fen": chosen.subsidy_fen,
        "changes": None,
    }
    if before is None:
        return found
    changed = publication.changed_results(connection, period, before.settlement_id, chosen.settlement_id)
    orders = publication.changed_orders(connection, chosen.settlement_id)
    return found | {
        "changes": {
            "since": before.notice,
            "causes": [
                {"cause": each.cause, "orders": each.orders, "subsidy_fen": each.subsidy_fen}
                for each in publication.changes_by_cause(connection, chosen.settlement_id)
            ],
            "promoters": [
                {"promoter_id": each.promoter_id, "was": each.was._asdict(), "now": each.now._asdict()}
                for each in changed
            ],
            "orders": [
                {name: value for name, value in each._asdict().items() if name != "settlement_id"}
                for each in orders
            ],
        }
    }


def _echo_changes(connection: Connection, period: Period, chosen: NoticeRow, before: NoticeRow) -> None:
    click.echo(f"changed since notice {before.notice}:")
    for cause in publication.changes_by_cause(connection, chosen.settlement_id):
        moved = f"{several(cause.orders, 'order')}, subsidy {signed_yuan(cause.subsidy_fen)}"
        click.echo(f"  {cause.cause} {moved}: {ChangeCause.labels()[cause.cause][1]}")
    changed = publication.changed_results(connection, period, before.settlement_id, chosen.settlement_id)
    for promoter in changed:
        click.echo(f"  promoter {promoter.promoter_id}: {_result(promoter.was)} -> {_result(promoter.now)}")
    for order in publication.changed_orders(connection, chosen.settlement_id):
        click.echo(
            f"  order {order.order_sn} of {order.promoter_id}: {order.cause}, "
            f"counted {_or_no(order.was_counted_fen)} -> {_or_no(order.now_counted_fen)}, "
            f"subsidy {grouped_yuan(order.was_subsidy_fen)} -> {grouped_yuan(order.now_subsidy_fen)}"
        )


def _or_no(fen: int | None) -> str:
    return "no" if fen is None else grouped_yuan(fen)


def _result(result: MeasuredResult) -> str:
    verdict = "passed" if result.passed else "not passed"
    sums = f"{_or_no(result.gmv_fen)}, {several(result.orders or 0, 'order')}"
    return f"{sums}, {verdict}, subsidy {grouped_yuan(result.subsidy_fen)}"


@click.command()
@period_argument
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=True),
    help="Write the files to this folder.",
)
@click.option("--draft", is_flag=True, help="Export the newest draft instead of the newest notice.")
@click.option("--notice", "number", type=int, help="Export this notice instead of the newest.")
@click.option(
    "--statements",
    is_flag=True,
    help="Also write notices.jsonl, the statements of all notices, for verify_export.py.",
)
@json_option
def export(
    period: Period, out: Path, number: int | None, *, draft: bool, statements: bool, as_json: bool
) -> None:
    """Write results.csv, subsidy_lines.csv and manifest.json of a settlement."""
    if draft and number is not None:
        raise BountyError("A draft has no notice number: give --draft or --notice, not both.")
    with snapshot(open_books().engine) as connection:
        manifest = publication.export(
            connection, period, out, draft=draft, notice=number, statements=statements
        )
    if as_json:
        echo_json(manifest)
        return
    for file in manifest["files"]:
        sums = f"{several(file['rows'], 'row')}, subsidy {grouped_yuan(file['sum_fen'])}"
        click.echo(f"{out / file['name']} {sums}")
    click.echo(f"content sha256:{manifest['content_sha256']}")
