"""What an import counts."""

from tests import oracle
from tests.agreement.oracle.examples import a_detail, a_row


def test_what_an_import_counts():
    held = [a_row("1", order_modify_at=10), a_row("2", order_modify_at=10), a_row("3", order_modify_at=10)]
    file = [
        a_row("4", order_modify_at=10),  # new
        a_row("4", order_modify_at=11),  # stale: the order is counted once
        a_row("1", order_modify_at=10, order_settle_time=0),  # unchanged: the same facts
        a_row("1", order_modify_at=9),  # stale: older
        a_row("2", order_modify_at=11),  # changed, if only in its update time
        a_row("2", order_modify_at=11),  # unchanged: in this file already
        a_row("2", order_modify_at=10, goods_name="别名"),  # unchanged: a name is no fact
        a_detail(0, 5, "3"),  # changed: its return status was not known
    ]
    assert oracle.import_counts(held, file) == {"new": 1, "changed": 2, "unchanged": 3, "stale": 2}
    assert oracle.import_counts(held + file, file) == {"new": 0, "changed": 0, "unchanged": 8, "stale": 0}


def test_an_older_row_that_lengthens_a_failing_run_changes_the_order():
    held = [a_row("1", order_modify_at=20, order_status=4)]
    assert oracle.import_counts(held, [a_row("1", order_modify_at=10, order_status=10)])["changed"] == 1
