"""Medusa 2: web orders out of its admin API, mirrored ERP data into it."""
