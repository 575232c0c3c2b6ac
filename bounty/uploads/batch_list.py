"""The list of imported batches."""

from sqlalchemy import func, select

from bounty.db import Query
from bounty.models import AuditEvent, Batch, User
from bounty.uploads.service import subject_of_batch


def batch_list() -> Query:
    """Every batch, columns as of ``Batch``, and ``by``: who imported it, an account's name or the audit's actor."""
    imported_by = (
        select(func.coalesce(User.name, AuditEvent.actor))
        .select_from(AuditEvent)
        .outerjoin(User, User.id == AuditEvent.user_id)
        .where(AuditEvent.act == "batch.import", AuditEvent.subject == subject_of_batch())
        .order_by(AuditEvent.event_id)
        .limit(1)
    )
    return select(Batch.__table__, imported_by.correlate(Batch).scalar_subquery().label("by"))
