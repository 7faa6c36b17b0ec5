"""What every test gets: the rule report, and one Hypothesis profile."""

from __future__ import annotations

import os

from hypothesis import settings

pytest_plugins = ["tests.rule_report"]

# The tests share two cores with each other, so one slow example proves nothing.
settings.register_profile("tradesync", deadline=None)
# The same examples on every run: a merge must not depend on the day's luck.
settings.register_profile("ci", settings.get_profile("tradesync"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "tradesync")

# The developer's own site must never leak into a test.
for name in [name for name in os.environ if name.startswith("TRADESYNC_")]:
    del os.environ[name]
