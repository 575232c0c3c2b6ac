"""Commands for the state of a period, waivers of its checklist, and confirmations of its data."""

import click

from bounty.calendar.status_report import StatusReport, status_report, status_reports
from bounty.cli.context import is_programme_named, open_books, period_argument, programme_option, read_period
from bounty.cli.identity import as_option, books_as
from bounty.cli.output import echo_json, json_option, period_keys, several, signed_yuan
from bounty.clock import read_instant, shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.notices.period_status import period_status
from bounty.release import service as closing
from bounty.release.checklist import ChecklistCode
from bounty.release.freshness import confirm_data
from bounty.roster.terms import open_period
from bounty.rules.periods import Period

NEXT = {
    "OPEN": "freeze its roster: bounty open {period}",
    "IMPORT": "import its orders up to the cutoff, and mend what waits in quarantine",
    "SETTLE": "settle: bounty settle {period}",
    "APPROVE": "have a second account approve the draft: bounty approve {period}",
    "PUBLISH": "publish: bounty publish {period}",
    "SETTLE_AGAIN": "settle again: bounty settle {period}",
    "PREPARE_PAYOUT": "prepare a tranche: bounty payout prepare",
    "WAIT": "wait until {at}",
    "NONE": "nothing",
}
"""Code of the next step -> text."""


@click.command()
@click.argument("period", required=False)
@programme_option
@json_option
def status(period: str | None, programme: str, *, as_json: bool) -> None:
    """Show the state of a period, its next step, its checklist and late facts; without PERIOD, of all periods that are
    not closed, of every programme unless one is named."""
    chosen = None if period is None else read_period(period, programme)
    books = open_books()
    required = books.approval_required
    with snapshot(books.engine) as connection:
        if chosen is None:
            found = status_reports(
                connection,
                books.calendar,
                books.now(),
                approval_required=required,
                programme=programme if is_programme_named() else None,
            )
        else:
            one = status_report(connection, books.calendar, chosen, books.now(), approval_required=required)
            found = [one]
    if as_json:
        objects = [each.as_json() for each in found]
        echo_json(objects if period is None else objects[0])
        return
    for each in found:
        _print(each)
    if not found:
        click.echo("No period is open, and none is to be: add terms with `bounty terms add`.")


def _print(found: StatusReport) -> None:
    notice = "" if found.notice is None else f", notice {found.notice}"
    click.echo(f"{found.period} {found.state}{notice}")
    at = "" if found.next.at is None else shown(found.next.at)
    click.echo(f"  next {found.next.code}: {NEXT[found.next.code].format(period=found.period, at=at)}")
    for line in () if found.checklist is None else found.checklist.lines:
        click.echo(f"  {line.state:6} {line.code}: {line.en}")
        if line.waiver is not None and not line.holds:
            by = line.waiver.name or "the command line"
            click.echo(f"         waived by {by} on {shown(line.waiver.waived_at)}: {line.waiver.reason}")
    if found.late is not None:
        late = found.late
        changes = f"{several(late.orders, 'order')} and {several(late.results, 'result')}"
        click.echo(f"  late: settling again would change {changes}, subsidy {signed_yuan(late.subsidy_fen)}")


@click.command()
@period_argument
@click.argument("code")
@click.option("--reason", required=True, help="Why the check is waived; recorded in the audit log.")
@as_option
@json_option
def waive(period: Period, code: str, reason: str, email: str | None, *, as_json: bool) -> None:
    """Waive a failed check of a period's newest draft, with a reason: FRESH, COVERAGE or QUARANTINE."""
    books = books_as(email, "operator")
    with transaction(books.engine) as connection:
        draft = period_status(connection, period, books.now()).draft
        if draft is None:
            raise BountyError(f"{period} has no draft: make one with `bounty settle {period}`.")
        if code not in list(ChecklistCode):
            raise BountyError(f"{code} is no check: write one of {', '.join(ChecklistCode)}.")
        is_new = closing.waive(
            connection,
            period,
            draft.settlement_id,
            code,
            reason,
            books.now(),
            approval_required=books.approval_required,
        )
    if as_json:
        number = draft.settlement_id
        echo_json({**period_keys(period), "settlement": number, "code": code, "changed": is_new})
        return
    state = "waived" if is_new else "holds or is waived already, nothing changed"
    click.echo(f"{code} of settlement {draft.settlement_id} of {period} {state}")


@click.command("confirm-data")
@period_argument
@click.option("--through", required=True, metavar="INSTANT", help="As 2023-01-11T00:00:00+08:00.")
@click.option("--reason", required=True, help="How you know; recorded in the audit log.")
@as_option
@json_option
def confirm(period: Period, through: str, reason: str, email: str | None, *, as_json: bool) -> None:
    """Confirm that all updates of a period's orders before an instant are imported."""
    try:
        through_at = read_instant(through)
    except ValueError:
        raise BountyError(f"{through!r} is not an instant: write it as 2023-01-11T00:00:00+08:00.") from None
    books = books_as(email, "operator")
    with transaction(books.engine) as connection:
        reaches = confirm_data(
            connection, period, through_at, reason, books.now(), approval_required=books.approval_required
        )
        cutoff = shown(open_period(connection, period).receipt_cutoff)
    if as_json:
        known = {"through": shown(through_at), "receipt_cutoff": cutoff, "reaches_cutoff": reaches}
        echo_json({**period_keys(period), **known})
        return
    click.echo(f"data of {period} confirmed through {shown(through_at)}")
    click.echo(f"it reaches the receipt cutoff, {cutoff}" if reaches else f"the receipt cutoff is {cutoff}")
