"""Millions of prices by column: what a driver tells becomes vectors without a row in between.

Everything in here needs pyarrow, so it is imported when a feed is read. What a value
means is said once, in ``erp_adapters.sql.values``: here is only the quick way for values
that plainly are what they should be, and all others are asked one by one.
"""
