"""The ledger's protocol as a model: Spin tries every order of steps, crashes and losses.

``model/ledger.pml`` says what is modelled. Each switch stands for one thing that
the service or the ERP does; turned off, Spin must find what goes wrong, or the
model would prove nothing about it. To see such a story step by step, run
``spin -a`` and the compiled checker as here, and then ``spin -t -p``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

MODEL = Path(__file__).parent / "model" / "ledger.pml"
LIMIT_S = 60

TWICE_IN_THE_ERP = r"assertion violated \(orders<=1\)"
IMPORT_FORGOTTEN = r"assertion violated \(state!=\d\)"
NOBODY_TAKES_IT_UP = r"invalid end state"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker printed."""

    text: str

    @property
    def errors(self) -> int:
        found = re.search(r"errors: (\d+)", self.text)
        assert found is not None, self.text
        return int(found.group(1))

    @property
    def states(self) -> int:
        found = re.search(r"(\d+) states, stored", self.text)
        assert found is not None, self.text
        return int(found.group(1))

    @property
    def whole(self) -> bool:
        """Nothing was left out for want of depth or memory."""
        return not re.search(r"max search depth too small|out of memory|interrupted", self.text)

    def never_reached(self, process: str) -> int:
        """How many of a process's steps no run ever came to."""
        found = re.search(rf"unreached in proctype {process}\n(?:\t.*\n)*?\t\((\d+) of", self.text)
        assert found is not None, self.text
        return int(found.group(1))


@pytest.fixture(scope="session")
def spin() -> str:
    """The model checker. Another program has the same name."""
    for tool in ("spin", "gcc"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (Debian: apt-get install -y {tool})")
    told = subprocess.run(["spin", "-V"], capture_output=True, text=True, check=False).stdout
    if not told.startswith("Spin Version"):
        pytest.skip("the command spin is not the model checker (Debian: apt-get install -y spin)")
    return told.strip()


def verify(folder: Path, **switches: int) -> Verdict:
    """Search the whole model with these switches; the first error ends it."""
    defines = [f"-D{name}={value}" for name, value in switches.items()]
    for command in (
        ["spin", "-a", *defines, str(MODEL)],
        ["gcc", "-O2", "-w", "-DSAFETY", "-DMEMLIM=2048", "-o", "checker", "pan.c"],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(
        ["./checker", "-m100000"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    return Verdict(done.stdout)


@pytest.mark.rule("OI-1", "OI-2", "OP-1")
def test_order_is_in_the_erp_once_whatever_happens_to_two_workers(
    spin: str, tmp_path: Path
) -> None:
    verdict = verify(tmp_path)
    assert verdict.errors == 0, verdict.text
    assert verdict.whole, verdict.text
    assert verdict.states > 1_000_000
    # Steps that only an ERP without a unique key knows; everything else was tried.
    assert verdict.never_reached("worker") < 12, verdict.text


@pytest.mark.rule("OI-1", "OI-2")
def test_erp_without_a_unique_key_is_safe_as_long_as_nothing_is_sent_again(
    spin: str, tmp_path: Path
) -> None:
    """What may be in it already goes to review, where a person looks."""
    verdict = verify(tmp_path, UNIQUE=0)
    assert verdict.errors == 0, verdict.text
    assert verdict.whole, verdict.text
    assert verdict.never_reached("auditor") == 0, "orders came to rest both ways"


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize(
    "switches, counter_example",
    [
        pytest.param({"UNIQUE": 0, "REVIEWS": 0}, TWICE_IN_THE_ERP, id="looking alone"),
        pytest.param(
            {"UNIQUE": 0, "REVIEWS": 0, "LOOKS": 0}, TWICE_IN_THE_ERP, id="not even looking"
        ),
        pytest.param({"UNIQUE": 0, "PERSON": 1}, TWICE_IN_THE_ERP, id="a person too soon"),
        pytest.param({"FENCED": 0}, IMPORT_FORGOTTEN, id="no fencing"),
        pytest.param({"EXPIRES": 0}, NOBODY_TAKES_IT_UP, id="leases for ever"),
    ],
)
def test_each_part_of_the_protocol_is_needed(
    spin: str, tmp_path: Path, switches: dict[str, int], counter_example: str
) -> None:
    verdict = verify(tmp_path, **switches)
    assert verdict.errors == 1
    assert re.search(counter_example, verdict.text), verdict.text
    assert (tmp_path / "ledger.pml.trail").exists(), "the story can be looked at"
