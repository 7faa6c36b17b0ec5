"""A made-up distributor with its ERP and its web store, to try the daemon on.

``make run`` plays a whole business day on it. The rows are generated, always
the same ones, and most of the web orders are in order; the others show every
reason for which an order may wait, be quarantined or be closed.
"""

from sync.sample.build import SampleCounts, build_sample, sample_is_built

__all__ = ["SampleCounts", "build_sample", "sample_is_built"]
