"""What can go wrong, sorted by what to do about it.

The engine acts on the class and never reads the message. The message is for a
person: what happened, to which document, and the way out. Adapters raise these
and let the driver's own exception ride along as ``__cause__``. An error that an
adapter does not recognise stays what it is and surfaces with its traceback.
"""

from __future__ import annotations

from sync.secrecy import scrubbed


class SyncError(Exception):
    """Base of everything that the engine knows how to answer.

    Its message holds no secret, whatever a driver or another system put into it:
    it is shown to people, kept in the ledger, and told to the store.
    """

    def __str__(self) -> str:
        return scrubbed(super().__str__())


class TryLater(SyncError):
    """The system is busy or away and nothing was changed: back off and come again.

    ``retry_after_s`` is what the system itself asked for, if it did.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LeftAlone(TryLater):
    """The system was not even asked: it failed again and again, or refused the login.

    Waiting for it within a run would only hold up what does not need it.
    """


class NobodyAnswers(TryLater):
    """There is nothing at the system's address: it is down, or the address is wrong."""


class OutcomeUnknown(SyncError):
    """A write left, and the answer did not come: look before any second attempt."""


class Conflict(SyncError):
    """The record moved since it was read: read and plan again, once.

    ``differences`` are sentences on how the order that the ERP holds differs from the
    one that was submitted. Where they are told there is nothing to plan again: a
    person must look.
    """

    def __init__(self, message: str, *, differences: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.differences = tuple(scrubbed(each) for each in differences)


class Refusal(SyncError):
    """One document cannot go on: quarantine it, continue with the next.

    ``code`` is a stable word to search and filter by; ``remedy`` the way out.
    """

    def __init__(self, message: str, *, code: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.remedy = scrubbed(remedy)


class Rejected(Refusal):
    """The other system understood and refused: inactive item, closed period."""


class GroupRejected(Rejected):
    """One order of a group was refused, and so none of the group was written.

    ``position`` is its place in the group, from 0; None where it cannot be told.
    """

    def __init__(self, message: str, *, code: str, remedy: str, position: int | None) -> None:
        super().__init__(message, code=code, remedy=remedy)
        self.position = position


class NotMapped(Refusal):
    """Our own mapping has no answer."""


class AccessDenied(SyncError):
    """Credentials or rights: stop the flow at once, repeated logins lock accounts."""


class RightMissing(AccessDenied):
    """We are let in, but not to this: it stops what needs it, and counts as no refused login."""


class NotGenuine(SyncError):
    """A message that a system did not sign, or signed too long ago: believe nothing of it.

    It says nothing about the system: anybody can send one.
    """


class Misconfigured(SyncError):
    """Settings, mapping, profile or schema are wrong; a person must correct them.

    ``problems`` lists each with its file and line where there is one.
    """

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__("\n".join((message, *problems)))
        self.problems = tuple(scrubbed(each) for each in problems)


class BrokenRead(Misconfigured):
    """A read met a value that it cannot work with: its statement is wrong, or one record is."""


class SuspiciousPlan(SyncError):
    """Too destructive to believe: nothing was written, a person must confirm.

    ``plan_id`` names the plan that a confirmation would be for.
    """

    def __init__(self, message: str, plan_id: str) -> None:
        super().__init__(message)
        self.plan_id = plan_id


class StateInUse(SyncError):
    """Another process is the writer of this state."""


class FencedOff(SyncError):
    """Another worker took this order over: stop, and write nothing more about it."""


def may_be_the_questions(error: Exception) -> bool:
    """Whether another question might be answered. Not where nothing is at the system's
    address, or where it says itself when to come again."""
    if isinstance(error, NobodyAnswers):
        return False
    return not (isinstance(error, TryLater) and error.retry_after_s is not None)
