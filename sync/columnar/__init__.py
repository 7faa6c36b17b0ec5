"""Prices as columns: the encoding of the price flow, where there are millions of them.

It means the same as ``sync.domain.pricing.Price``, a row for an entry; a test holds both
equal. Everything here needs pyarrow, so it is imported where it is used.
"""
