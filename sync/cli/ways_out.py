"""What a person can do about an error, where the error does not say it itself."""

from __future__ import annotations

from sync.errors import (
    AccessDenied,
    Conflict,
    Misconfigured,
    OutcomeUnknown,
    Refusal,
    StateInUse,
    SyncError,
    TryLater,
)


def way_out(error: SyncError) -> str:
    """By the kind of error; a sentence. Empty where nothing is known to help."""
    match error:
        case Refusal():
            return error.remedy
        case Misconfigured():
            return "Correct what is named here, then try again."
        case AccessDenied():
            return "Correct the login or the rights that are named here, then try again."
        case StateInUse():
            return "Stop the other process, or wait until it ends, then try again."
        case TryLater() | OutcomeUnknown() | Conflict():
            return "See whether the system is up, then try again."
    return ""
