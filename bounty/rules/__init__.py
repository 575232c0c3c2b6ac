"""WHAT WE PROMISE: periods, terms, clauses, measure and subsidy, as values and as SQL expressions.

No session, no present instant, no Flask: whoever asks brings the facts, the bounds and the terms.
"""
