"""Writing files for people: CSV, workbooks, folders that appear whole, and cells that cannot act as formulas."""
