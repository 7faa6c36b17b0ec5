"""The daemon: when flows run, how it stops, and how it tells that it lives."""
