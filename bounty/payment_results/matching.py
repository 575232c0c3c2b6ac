"""Which payout each payment of a receipt is of: decided from what is given, and nothing is guessed.

Where two answers would do there is none, and a person adds the payout's id or marks it by hand.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bounty.files import cells
from bounty.models.payment_results import AMBIGUOUS, MATCHED, UNMATCHED
from bounty.money import grouped_yuan
from bounty.payment_results.files import PaymentResultRow

ReportedPayment = tuple[str | None, bool]
"""A payment as a row of a receipt reports it: the payer's number, and whether it went through."""
_CHINA = re.compile(r"(?:\+|00)86(?=1[0-9]{10}\Z)")


@dataclass(frozen=True, slots=True)
class RequestedPayout:
    """A payout that was exported to be paid, and what is known of it."""

    payout: str
    """Its id, as ``P3-1000939``."""
    amount_fen: int
    shown_account: str
    shown_name: str
    account: str | None = None
    """In plain, as the payer was given it; null where it was not opened, as no row needs it."""
    name: str | None = None
    paid: bool | None = None
    """Its newest outcome; null while there is none."""
    serial: str | None = None
    """Of the payment that reported that outcome; null also where it was marked by hand."""
    carried_into: int | None = None
    """A later exported tranche into which it was carried, if it was not paid."""
    outcomes: int = 0
    """How many it has."""
    reported: frozenset[ReportedPayment] = frozenset()
    """The results in matched rows of earlier receipts."""


@dataclass(frozen=True, slots=True)
class MatchedRow:
    """A row of a receipt with its verdict."""

    row: PaymentResultRow
    verdict: str
    payout: RequestedPayout | None
    """The one that it is of, or, where it is not MATCHED, the one that it names."""
    why: tuple[str, str]
    """In Chinese and in English."""
    news: bool = False
    """Whether it says of its payout what was not known."""


@dataclass(frozen=True, slots=True)
class KnownPayouts:
    """What the rows of a receipt are compared with."""

    requested: Mapping[str, RequestedPayout]
    """The payouts that rows name, and those of the same amount as a row that names none, by their id."""
    not_requested: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Ids that rows name and that the payer was not asked to pay -> why, in Chinese and in English."""
    held: Mapping[int, str] = field(default_factory=dict)
    """Place -> payout, where this very file was taken in before and the row was matched."""


def match_rows(rows: Sequence[PaymentResultRow], known: KnownPayouts) -> list[MatchedRow]:
    """What each row is of, in the file's order. Two rows that would be of one payout are of none."""
    payees = _Payees(known.requested.values())
    judged = [_one(row, known, payees) for row in rows]
    times = Counter(each.payout.payout for each in judged if each.verdict == MATCHED and each.payout)
    return [
        replace(
            each,
            verdict=AMBIGUOUS,
            news=False,
            why=(
                f"本回单有 {times[each.payout.payout]} 行对应同一笔付款 {each.payout.payout}",
                f"{times[each.payout.payout]} rows of this receipt are of payout {each.payout.payout}",
            ),
        )
        if each.verdict == MATCHED and each.payout and times[each.payout.payout] > 1
        else each
        for each in judged
    ]


def alike(text: str | None) -> str:
    """An account or a name as it is compared: without blanks, width or case."""
    return "".join(unicodedata.normalize("NFKC", text or "").split()).casefold()


def account_alike(text: str | None) -> str:
    """An account as it is compared: also without the signs that group its digits, and without China's code.

    >>> account_alike("+86 138-1234-5678")
    '13812345678'
    """
    bare = alike(text)
    if "@" in bare:
        return bare
    return _CHINA.sub("", cells.with_plain_hyphens(bare).replace("-", ""))


def masked(text: str | None) -> bool:
    """Whether a payer hides part of an account or a name, as ``138****5678``."""
    return "*" in (text or "")


def _one(row: PaymentResultRow, known: KnownPayouts, payees: "_Payees") -> MatchedRow:
    if row.place in known.held:
        return MatchedRow(row, MATCHED, known.requested[known.held[row.place]], _AS_BEFORE)
    if len(row.payouts) > 1:
        ids = ", ".join(row.payouts)
        return MatchedRow(
            row, AMBIGUOUS, None, (f"备注里有几个付款编号：{ids}", f"it names several payouts: {ids}")
        )
    if row.payouts:
        return _named(row, row.payouts[0], known)
    if masked(row.account) and masked(row.name):
        return MatchedRow(
            row,
            UNMATCHED,
            None,
            (
                "账号和姓名都被付款方遮盖，又没有付款编号：请补上编号，或逐笔标记",
                "the payer masks account and name, and it names no payout: add the payout's id, or mark it by hand",
            ),
        )
    return _by_payee(row, payees.of(row))


class _Payees:
    """Payouts by what a row that names none of them tells of its payee: what the payer shows of account and name."""

    def __init__(self, payouts: Iterable[RequestedPayout]) -> None:
        self._by_account: dict[tuple[int, str], list[tuple[str, RequestedPayout]]] = {}
        self._by_name: dict[tuple[int, str], list[tuple[str, RequestedPayout]]] = {}
        for each in payouts:
            if each.account is not None and each.name is not None:
                account, name = account_alike(each.account), alike(each.name)
                self._by_account.setdefault((each.amount_fen, account), []).append((name, each))
                self._by_name.setdefault((each.amount_fen, name), []).append((account, each))

    def of(self, row: PaymentResultRow) -> list[RequestedPayout]:
        """The payouts of a row's amount, account and name; one of the two may be masked."""
        account, name = account_alike(row.account), alike(row.name)
        if masked(account):
            found, shown = self._by_name.get((row.amount_fen, name), []), account
        else:
            found, shown = self._by_account.get((row.amount_fen, account), []), name
        return [each for whole, each in found if _fits(shown, whole)]


def _fits(shown: str, whole: str) -> bool:
    """Whether a text is another one, or what a payer shows of it with stars for the rest."""
    if not masked(shown):
        return shown == whole
    return re.fullmatch(".*".join(map(re.escape, re.split(r"\*+", shown))), whole, re.DOTALL) is not None


_AS_BEFORE = ("这份回单此前已匹配这一行", "this row of the same file was matched before")


def _named(row: PaymentResultRow, payout: str, known: KnownPayouts) -> MatchedRow:
    if payout not in known.requested:
        return MatchedRow(row, UNMATCHED, None, known.not_requested[payout])
    requested = known.requested[payout]
    if requested.amount_fen != row.amount_fen:
        ours, theirs = grouped_yuan(requested.amount_fen), grouped_yuan(row.amount_fen)
        why = (
            f"金额不符：{payout} 应付 {ours}，回单为 {theirs}",
            f"the amounts differ: {payout} pays {ours}, and the row says {theirs}",
        )
        return MatchedRow(row, AMBIGUOUS, requested, why)
    if (
        row.account
        and not masked(row.account)
        and account_alike(row.account) != account_alike(requested.account)
    ):
        why = (f"收款账号不是 {payout} 的账号", f"the account is not the one that {payout} is paid to")
        return MatchedRow(row, AMBIGUOUS, requested, why)
    return _matched_or_not(row, requested)


def _by_payee(row: PaymentResultRow, fits: list[RequestedPayout]) -> MatchedRow:
    """By account, name and amount: first the payment that was reported before, then the one payout that still waits."""
    if row.serial is not None:
        same = [each for each in fits if any(serial == row.serial for serial, _ in each.reported)]
        if len(same) == 1:
            return _matched_or_not(row, same[0])
    waiting = [each for each in fits if each.paid is None]
    # Without the payer's number, a row that tells an outcome that is known may be that row once more.
    again = [each for each in fits if each.paid is row.paid and (row.serial is None or each.serial is None)]
    if len(waiting) == 1 and not again:
        return _matched_or_not(row, waiting[0])
    if not waiting and len(fits) == 1:
        return _matched_or_not(row, fits[0])
    if not fits:
        return MatchedRow(
            row,
            UNMATCHED,
            None,
            (
                "没有账号、姓名和金额都相同的已导出付款",
                "no exported payout has this account, name and amount",
            ),
        )
    ids = ", ".join(sorted(each.payout for each in fits))
    why = (f"可能是这几笔中的一笔：{ids}；请补上付款编号", f"it may be any of {ids}: add the payout's id")
    return MatchedRow(row, AMBIGUOUS, None, why)


def _matched_or_not(row: PaymentResultRow, requested: RequestedPayout) -> MatchedRow:
    """What a row says of the payout that it is of, against what is known of it."""
    if requested.paid is row.paid:
        return _as_known(row, requested)
    if (row.serial, row.paid) in requested.reported:
        return _reported_before(row, requested)
    if row.paid and requested.carried_into is not None:
        return MatchedRow(row, AMBIGUOUS, requested, carried(requested.payout, requested.carried_into))
    why = ("付款成功", "paid") if row.paid else ("付款失败", "failed")
    return MatchedRow(row, MATCHED, requested, why, news=True)


def _as_known(row: PaymentResultRow, requested: RequestedPayout) -> MatchedRow:
    if row.paid and row.serial and requested.serial and row.serial != requested.serial:
        why = (
            f"{requested.payout} 已由流水号 {requested.serial} 付清，这是另一笔：是否重复付款？",
            (
                f"{requested.payout} was paid by payment {requested.serial} already, and this is another: "
                "was it paid twice?"
            ),
        )
        return MatchedRow(row, AMBIGUOUS, requested, why)
    return MatchedRow(row, MATCHED, requested, ("与已知结果相同", "as known already"))


def _reported_before(row: PaymentResultRow, requested: RequestedPayout) -> MatchedRow:
    """An old row once more, whose payout has another outcome since; without the payer's number it may be a new one."""
    if row.serial is not None:
        why = ("这笔流水的结果此前已导入，之后又有新的结果", "told before, and otherwise since")
        return MatchedRow(row, MATCHED, requested, why)
    why = (
        f"较早的回单已有同样一行，之后 {requested.payout} 又有新的结果：请逐笔标记",
        f"an earlier receipt has this row, and {requested.payout} was told otherwise since: mark it by hand",
    )
    return MatchedRow(row, AMBIGUOUS, requested, why)


def carried(payout: str, tranche_id: int) -> tuple[str, str]:
    """Why a payout that failed can't be paid any more, in Chinese and in English."""
    return (
        f"{payout} 付款失败后已结转进批次 {tranche_id}，不能再记为已付",
        f"{payout} failed and was already carried into tranche {tranche_id}: it can't be paid any more",
    )
