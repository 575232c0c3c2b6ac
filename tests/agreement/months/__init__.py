"""Whole months made up from a seed, for the engine and the oracle to agree on: ``making`` says how."""

from tests.agreement.months.case import Case, OrderFile
from tests.agreement.months.files import write
from tests.agreement.months.making import generate, multiplied, shuffled

__all__ = ["Case", "OrderFile", "generate", "multiplied", "shuffled", "write"]
