"""From a file on disk to typed rows or explained bad rows, and from there into the books.

Reading knows no database: ``problems`` has what can be wrong (the sentences are in ``problem_texts``), ``file_types``
and ``encoding`` judge a file before a row of it is read, ``cells`` has the grammars and ``columns`` applies them to a
row; ``tables`` reads text (``csv_records``) and workbooks (``workbook``), ``json_stream`` large JSON. The same tools
read orders (``platforms/pdd/order_files.py``) and the small files about promoters (``promoters/reference_files.py``).
"""
