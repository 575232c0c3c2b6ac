"""Computing a settlement again: from the books, or on Spark from facts exported as Parquet. The books are only read."""
