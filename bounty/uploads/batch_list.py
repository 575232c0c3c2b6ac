"""The list of imported batches."""

from sqlalchemy import Connection, func, select

from bounty.db import Query, QueryRow
from bounty.models import AuditEvent, Batch, User
from bounty.uploads.service import subject_of_batch


def batch_list() -> Query:
    """Every batch, columns as of ``Batch``, and ``by``: who imported it, an account's name or the audit's actor."""
    imported_by = (
        select(func.coalesce(User.name, AuditEvent.actor))
        .select_from(AuditEvent)
        .outerjoin(User, User.id == AuditEvent.user_id)
        .where(AuditEvent.act.in_(("batch.import", "batch.part")), AuditEvent.subject == subject_of_batch())
        .order_by(AuditEvent.event_id)
        .limit(1)
    )
    return select(Batch.__table__, imported_by.correlate(Batch).scalar_subquery().label("by"))


def one_batch(connection: Connection, batch_id: int) -> QueryRow | None:
    """A batch as ``batch_list`` has it; null where there is none such."""
    return connection.execute(batch_list().where(Batch.batch_id == batch_id)).first()
