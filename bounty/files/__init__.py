"""From a file on disk to typed rows or explained bad rows, and from there into the books.

Reading knows no database: ``catalogue`` says what can be wrong (its sentences are in ``sayings``), ``kinds`` and
``codepage`` judge a file before a row of it is read, ``cells`` holds the grammars and ``columns`` lays them over a row;
``tables`` reads text (``records``) and workbooks (``workbook``), ``documents`` large JSON, and ``reference`` the four
small files about promoters. Orders are read by ``bounty/platforms/pdd/order_files.py`` with the same tools.
"""
