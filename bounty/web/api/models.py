"""What the API's answers look like, for its OpenAPI document. Money is whole fen, instants are RFC 3339 of Shanghai."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

Fen = Annotated[int, Field(description="Whole fen.")]
Instant = Annotated[datetime, Field(examples=["2022-12-15T12:00:00+08:00"])]
PeriodText = Annotated[str, Field(examples=["2022-12", "2022-12a"])]
ProgrammeCode = Annotated[str, Field(description="The programme of the period; left out for `main`.")]


class ProblemBody(BaseModel):
    """What went wrong, by RFC 9457."""

    type: str
    title: str
    status: int
    detail: Annotated[
        str, Field(description="What is wrong and what would be right, in the language asked for.")
    ]
    code: Annotated[str, Field(description="Which problem it is, for programs.")]


class MeasuredSums(BaseModel):
    """GMV and number of orders."""

    gmv_fen: Fen
    orders: int


class Targets(BaseModel):
    """What is to be reached; null where there is no such target."""

    gmv_fen: Fen | None
    orders: int | None


class NotCounted(BaseModel):
    """Orders that do not count, by their first failing clause."""

    reason: str
    orders: int
    amount_fen: Annotated[int, Field(description="Whole fen, not capped.")]


class Published(BaseModel):
    """What the newest notice says."""

    notice: int
    gmv_fen: Fen | None
    orders: int | None
    passed: bool
    subsidy_fen: Fen


class ProgressBody(BaseModel):
    """How far a promoter is in a period."""

    programme: ProgrammeCode = "main"
    period: PeriodText
    promoter_id: int
    as_of: Instant
    level: str | None
    eligible: bool
    reason: str | None
    targets: Targets
    counted: MeasuredSums
    pending: MeasuredSums
    not_counted: list[NotCounted]
    passed: bool
    published: Published | None


class JudgedClause(BaseModel):
    """One clause with the order's fact and the bound."""

    code: str
    holds: bool
    fact: str | int | bool | list[int] | None
    bound: str


class TaskVerdict(BaseModel):
    """Whether an order counts for the task."""

    counts: bool
    counted_fen: Fen
    reason: str | None
    clauses: list[JudgedClause]


class SubsidyVerdict(BaseModel):
    """Whether an order earns a subsidy."""

    qualifies: bool
    reason: str | None
    subsidy_fen: Fen | None
    clauses: list[JudgedClause]


class ExplanationBody(BaseModel):
    """Why an order counts or does not, and whether it earns."""

    programme: ProgrammeCode = "main"
    as_of: Instant
    order_sn: str
    promoter_id: int
    period: PeriodText | None
    task: TaskVerdict
    subsidy: SubsidyVerdict


class OrderQuery(BaseModel):
    """Of which programme's period an order is explained."""

    model_config = {"extra": "forbid"}

    programme: ProgrammeCode = "main"


class PushedOrders(BaseModel):
    """Rows of the platform's shape; what is wrong with one of them is told in quarantine, as of a file."""

    model_config = {"extra": "forbid"}

    orders: Annotated[
        list[dict[str, object]],
        Field(max_length=1000, description="Orders as the platform's lists give them."),
    ]


class ImportedBody(BaseModel):
    """What became of the rows; the five counts add up to ``read``."""

    batch: Annotated[int, Field(description="The number of the batch.")]
    as_of: Instant
    read: int
    new: int
    changed: int
    unchanged: int
    stale: int
    quarantined: int


class Check(BaseModel):
    """One check, and what was found."""

    code: str
    state: Annotated[str, Field(description="PASSED, WAIVED or FAILED.")]
    detail_zh: str
    detail_en: str


class ChecklistBody(BaseModel):
    """What stands between a period and its next notice."""

    programme: ProgrammeCode = "main"
    period: PeriodText
    as_of: Instant
    state: str
    checklist: list[Check]


class BatchBody(BaseModel):
    """A batch, and what became of its rows; the five counts add up to ``rows_read``."""

    as_of: Instant
    batch_id: int
    kind: str
    file_name: str
    imported_at: Instant
    by: str | None
    rows_read: int
    rows_new: int
    rows_changed: int
    rows_unchanged: int
    rows_stale: int
    rows_quarantined: int
    waiting: Annotated[int, Field(description="Its rows that still wait in quarantine.")]
    undone_at: Instant | None


class SettledBody(BaseModel):
    """A draft settlement."""

    programme: ProgrammeCode = "main"
    period: PeriodText
    as_of: Instant
    settlement: int
    content_sha256: str
    results: int
    lines: int
    subsidy_fen: Fen
    quarantined: Annotated[int, Field(description="Rows of the period that wait in quarantine.")]
    changed: Annotated[bool, Field(description="False where the newest settlement says the same.")]


class SimulationAsked(BaseModel):
    """Terms to try, and on which periods."""

    model_config = {"extra": "forbid", "strict": True}

    terms: Annotated[str, Field(max_length=200_000, description="A file of terms, as TOML.")]
    periods: Annotated[
        str,
        Field(max_length=100, examples=["2022-12", "2022-09..2022-12"], description="At most 12 periods."),
    ]
    programme: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$", description="Of periods that name none.")
    ] = "main"


class SimulatedFigures(BaseModel):
    """What a period comes to."""

    eligible: int
    passed: int
    orders: int
    gmv_fen: Fen
    lines: int
    subsidy_fen: Fen


class SimulationCause(BaseModel):
    """What one part of the terms moves."""

    cause: str
    passed: int
    subsidy_fen: Fen


class SimulationFlip(BaseModel):
    """A promoter who passes under one of the two terms alone."""

    promoter_id: int
    passes: bool
    was_subsidy_fen: Fen
    subsidy_fen: Fen


class SimulationDifference(BaseModel):
    """What differs from the terms in force."""

    in_force: SimulatedFigures
    causes: list[SimulationCause]
    flips: list[SimulationFlip]


class Simulation(SimulatedFigures):
    """A period under the terms."""

    programme: ProgrammeCode = "main"
    period: PeriodText
    against: Annotated[SimulatedFigures | None, Field(description="What the newest notice says.")]
    difference: SimulationDifference | None
    notes: list[str]


class SimulatedBody(BaseModel):
    """Each period under the terms."""

    as_of: Instant
    simulations: list[Simulation]
