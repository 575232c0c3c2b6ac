"""SQLAlchemy's expressions as Spark SQL: where Spark differs from the databases that hold the books, it is said here.

Written for Spark 4 in ANSI mode, without variable substitution, with parameters by name. A general translator from
PostgreSQL's SQL was tried and changed integer division without a word; this compiles the expressions themselves.
"""

from typing import Any

from sqlalchemy import BinaryExpression
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.sql.compiler import GenericTypeCompiler, IdentifierPreparer, SQLCompiler
from sqlalchemy.types import Text, TypeEngine

from bounty.db import Query


class SparkCompiler(SQLCompiler):
    """Statements."""

    def visit_custom_op_binary(self, element: BinaryExpression[Any], operator: Any, **kw: object) -> str:
        """``/`` between whole numbers is the whole part on both databases, and a double on Spark."""
        if operator.opstring != "/":
            return str(super().visit_custom_op_binary(element, operator, **kw))  # type: ignore[no-untyped-call]
        left, right = (self.process(side, **kw) for side in (element.left, element.right))
        return f"{left} DIV {right}"

    def render_literal_value(self, value: Any, type_: TypeEngine[Any]) -> str:
        """A backslash begins an escape in Spark's literals."""
        if isinstance(value, str):
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            return f"'{escaped}'"
        return super().render_literal_value(value, type_)


class SparkTypeCompiler(GenericTypeCompiler):
    """Names of types, where a statement casts."""

    def visit_TEXT(self, type_: Text, **kw: object) -> str:
        """Text of whatever length; it compares by its bytes."""
        return "STRING"

    visit_text = visit_TEXT


class SparkDialect(DefaultDialect):
    """Spark SQL, to compile for; statements are carried out by a Spark session and not through SQLAlchemy."""

    name = "spark"
    default_paramstyle = "named"
    supports_native_boolean = True
    supports_statement_cache = False
    statement_compiler = SparkCompiler
    type_compiler_cls = SparkTypeCompiler

    def __init__(self) -> None:
        super().__init__()
        self.identifier_preparer = IdentifierPreparer(self, initial_quote="`", escape_quote="`")


def spark_sql(query: Query) -> tuple[str, dict[str, int | str | bool]]:
    """A SELECT as Spark's text with ``:name`` for each parameter, and the parameters."""
    compiled = query.compile(dialect=SparkDialect(), compile_kwargs={"render_postcompile": True})
    arguments = {}
    for name, value in compiled.params.items():
        if not isinstance(value, int | str):
            raise TypeError(f"parameter {name} of a statement for Spark is {type(value).__name__}")
        arguments[name] = value
    return str(compiled), arguments
