"""May this web order be imported, and as what? (The decision called admission.)

Pure: ``admit`` judges an order on facts that were looked up before. What delays
an order comes first, what forbids it second, and then every reason is named.
"""

from __future__ import annotations

from sync.admission.decide import admit, unreadable
from sync.admission.facts import AdmissionFacts, LinePrice
from sync.admission.ready import not_ready
from sync.admission.tender import wants_terms

__all__ = ["AdmissionFacts", "LinePrice", "admit", "not_ready", "unreadable", "wants_terms"]
