"""From a file on disk to typed rows or explained bad rows: kinds, code pages, tables, grammars. No database, no Flask.

``catalogue`` says what can be wrong, ``cells`` holds the grammars, ``columns`` lays them over a row, ``tables`` reads
CSV and XLSX, ``documents`` large JSON, and ``reference`` the four small files of promoters. Orders are read by
``bounty/orders/reading.py`` with the same tools.
"""
