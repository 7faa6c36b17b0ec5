"""``python -m tests.faults``: see ``tests.faults.playing``.

With ``--mutants`` each planted defect is tried instead, and told with what noticed it.
"""

import sys

from tests.faults.mutants import MUTANTS
from tests.faults.playing import main, quiet, tell
from tests.faults.test_mutants import caught_by, keep


def plant_all() -> int:
    quiet()
    wrong = 0
    for mutant in MUTANTS:
        caught = caught_by(mutant)
        keep(mutant, caught)
        expected = (caught is None) == (mutant.harmless is not None)
        wrong += not expected
        by = caught[0] if caught else f"nothing ({mutant.harmless or 'A DEFECT'})"
        tell(f"{'' if expected else 'WRONG: '}{mutant.name}: {by}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(plant_all() if sys.argv[1:] == ["--mutants"] else main())
