"""How a page, a table and a figure are made."""
