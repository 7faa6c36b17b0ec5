"""The business rules of the service, each with an ID, one sentence, and whether it is kept.

Tests name the rules that they prove (``@pytest.mark.rule("WA-2")``), the test
report turns that round and lists the proof of each rule, and ``tradesync
rules`` prints this table. The letters say where a rule comes from: WA, TL and
VE are three families of existing systems; OI is order import, MI the mirrors,
OP operation.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: a short ID that never changes its meaning, and what it demands.

    ``kept`` is False while nothing of the service does it yet, and ``lacks`` says
    what of it nothing does while the rest is done.
    """

    id: str
    sentence: str
    kept: bool = True
    lacks: str = ""


_TABLE = (
    # Who is who, and which account an order goes under.
    Rule(
        "WA-1",
        "A buyer is wholesale by having an ERP account among those that the ERP profile selects, "
        "and without payment terms that account pays by card; everybody else is retail.",
    ),
    Rule(
        "WA-2",
        "An administrator assigns users or organisations to customer IDs by mapping file or "
        "command, staff-only store attribute or (if switched on) a verified e-mail with one "
        "single match, in one configured precedence and the organisation's before the person's; "
        "whoever has no assignment orders under the channel's retail group.",
    ),
    Rule(
        "WA-2a",
        "Without a mapping, an order on a b2b channel is quarantined with its remedy, and "
        "elsewhere it is retail only in a personal context: neither for an organisation, nor on "
        "account terms by somebody whose B2B application is still open.",
    ),
    Rule(
        "WA-2b",
        "No source can make a retail group somebody's individual customer ID; the attempt is "
        "refused and the message says file, line and reason.",
    ),
    Rule(
        "WA-2c",
        "A mapping that is refused, ambiguous or points to a missing or inactive customer "
        "quarantines the buyer's orders and is reported by the check; it never makes them retail.",
    ),
    Rule(
        "WA-2d",
        "The ledger keeps the customer ID and the deciding rule of each admitted order; an order "
        "in the ERP stays where it is when mappings change, a replayed one is routed afresh.",
    ),
    Rule(
        "WA-2e",
        "Only what the store authenticated identifies a buyer: typed e-mails and attributes that "
        "shoppers can write route nothing, and an unproven user counts as a guest, or is "
        "quarantined where that user or the named organisation is mapped.",
    ),
    Rule(
        "WA-2f",
        "Of several retail groups the one whose prices filled the cart gets the order, which is "
        "quarantined if that group is unknown or does not use the order's currency.",
    ),
    Rule(
        "TL-1",
        "An account is one real person's, or one organisation's with its users; on a b2b channel "
        "an order without an organisation is quarantined.",
    ),
    Rule(
        "TL-2",
        "Customer ID, rights, master data and addresses come from the organisation, and a person's "
        "role can only narrow its rights.",
    ),
    Rule(
        "TL-3",
        "The organisation recorded on the order decides for a user who has several, an order for "
        "an organisation that the user is not in is quarantined, and the store is told each "
        "organisation's name and customer number.",
    ),
    Rule(
        "TL-4",
        "Each sales channel has account types and a registration mode of its own.",
    ),
    # Orders, from the store into the ERP.
    Rule(
        "WA-3",
        "Wholesale orders are written to the buyer's own ERP account, retail and guest orders to "
        "the account of the retail group.",
    ),
    Rule(
        "WA-3a",
        "A retail order carries its checkout address as a one-time ship-to; nothing is added to "
        "the group's address list, and nothing on that list is shown in the store.",
    ),
    Rule(
        "WA-4",
        "A wholesale order names a ship-to of its own account or, if the account's policy permits, "
        "a complete typed one; a retail order has a complete typed one and no ERP ship-to; "
        "anything else is quarantined and no default steps in.",
    ),
    Rule(
        "WA-5",
        "A table sorts payment methods into card, terms and refused: retail needs a card payment "
        "authorised or captured, wholesale has terms or where allowed such a card; one still "
        "pending waits, and every other case is quarantined, but waits while the order is created "
        "or awaiting payment.",
    ),
    Rule(
        "WA-9",
        "A web order stays in the history of the user who placed it, and the histories of users "
        "who share an account are never merged.",
    ),
    Rule(
        "WA-11",
        "Where the ERP demands a ship-to ID on an order, a typed address goes out as typed lines "
        "beside the ID of the customer's override, else the account's or group's default; in "
        "other ERPs it is a one-time address.",
    ),
    Rule(
        "WA-12",
        "The ordering account must exist in the ERP, be past prospect and own the contact that "
        "the order uses, otherwise the order is quarantined; accounts and retail groups can be "
        "given a default contact.",
    ),
    Rule(
        "WA-13",
        "The store shows each order as pending, processing, processed with its ERP number, or "
        "aborted with the ERP's message, and an aborted one can be sent again once corrected.",
    ),
    Rule(
        "WA-14",
        "For an ERP that imports files, header and line files appear complete or not at all, its "
        "answer files yield the order number or the error, and no answer means outcome unknown "
        "rather than failed.",
    ),
    Rule(
        "WA-15",
        "An order for an account on credit hold is imported held, or quarantined where the ERP has "
        "no hold, unless policy lets a card lift it; a required PO number that is missing "
        "quarantines, a repeated one is flagged.",
    ),
    Rule(
        "WA-16",
        "An order in a currency that its account or retail group does not use is quarantined, "
        "never converted.",
    ),
    Rule(
        "VE-1",
        "A channel's commerce mode is b2b (signed-in employees of accounts only, catalogue and "
        "prices for account audiences only), b2c (everybody retail whatever their mapping, guests "
        "if allowed) or hybrid (by buyer).",
    ),
    Rule(
        "VE-2",
        "A guest's order needs a channel that allows guest checkout, else it is quarantined; "
        "allowing it on a b2b channel is an error in the mapping.",
    ),
    Rule(
        "VE-3",
        "Account statuses run from 0 to 11, registration keeping 0 to 8 and the ERP 9 to 11, and "
        "an account orders only while it is Active (9), which is looked up right before the "
        "write into the ERP.",
    ),
    Rule(
        "VE-4",
        "Of the cumulative roles browse, order, approve and manage, one without the right to order "
        "has its order quarantined; an order that lacks an approval waits for it, and a refused "
        "approval closes it.",
    ),
    Rule(
        "VE-11",
        "Each channel configures which of the store's order states may be imported; by default "
        "they are awaiting and partly or wholly fulfilled, and on account terms also awaiting "
        "payment.",
    ),
    Rule(
        "OI-1",
        "Each accepted order reaches the right ERP account exactly once and as the buyer saw it, "
        "through any crash or repetition, and a price that departs from the ERP's beyond the "
        "tolerance is flagged or held as configured, never recalculated silently.",
    ),
    Rule(
        "OI-2",
        "An order that cannot be imported rests in quarantine with code, sentence and remedy, can "
        "be replayed singly or by filter, or dismissed for good with a reason that "
        "reconciliation counts, and every step is audited.",
    ),
    Rule(
        "OI-3",
        "The store's order is given the ERP's order number, and afterwards its picking, shipping "
        "with tracking, invoicing, cancellation and back-orders.",
    ),
    Rule(
        "OI-4",
        "A change or cancellation in the store after import is noticed and carried into the ERP "
        "if it accepts that, else handed to a person as an exception.",
    ),
    Rule(
        "OI-5",
        "An order without authorised payment, or one that disappears again, waits; each order is "
        "read afresh before it is submitted, a changed one goes through admission again, and "
        "one whose authorisation lapsed is quarantined.",
    ),
    Rule(
        "OI-6",
        "The store's tax overrides the ERP's where that is possible, otherwise a difference "
        "beyond the tolerance holds the order; exemption is the ship-to's.",
    ),
    Rule(
        "OI-7",
        "Freight, fees, coupons, discounts and deposits become ERP codes by table, gift cards "
        "count as payment, and an order whose lines, charges and tax miss its total is "
        "quarantined.",
    ),
    Rule(
        "OI-8",
        "Quantities convert by the ERP's factors, kits go as the parent line, and one uneven "
        "quantity or one unknown, discontinued or restricted item quarantines the entire order.",
    ),
    Rule(
        "OI-9",
        "Delivery wishes, carrier, contact details and comments reach the ERP, dates in its time "
        "zone; overlong text runs on into the notes, unencodable text quarantines, and nothing "
        "is cut without a word.",
    ),
    Rule(
        "OI-10",
        "A shipment may make the store capture payment, no more than was authorised, and a refund "
        "becomes a credit request or an exception in the ERP, by configuration.",
    ),
    # Mirrors, from the ERP into the store.
    Rule(
        "WA-6",
        "A wholesale buyer's prices are those of the individual customer ID, with contracts, "
        "lists, breaks, units, currencies and validity; a retail buyer's are those of the retail "
        "group's ID.",
    ),
    Rule(
        "WA-7",
        "The store shows to the last decimal what the ERP's own pricing would charge; the mirror "
        "makes no price up, rounding is a named adjustment, and a promotion is an order discount, "
        "not a price.",
    ),
    Rule(
        "WA-8",
        "Wholesale users see all invoices of their customer ID, no invoice of a retail group ever "
        "reaches the store, and an ID that turns into a retail group has its mirrored records "
        "withdrawn at once, past the guard rails.",
    ),
    Rule(
        "WA-10",
        "A price may depend on the warehouse that ships to the user; a customer for whom the ERP "
        "has no valid price sees call for pricing, neither zero nor an invented figure.",
    ),
    Rule(
        "VE-5",
        "Customer groups are tags that may bring one of the ERP's price lists, a restricted "
        "catalogue or a promotion's condition, and among an account's groups the best price wins.",
    ),
    Rule(
        "VE-6",
        "A location's own prices, exemption and addresses come before its account's; the buyer's "
        "location sets the price, the ship-to's location the exemption.",
    ),
    Rule(
        "VE-7",
        "Each channel has a login wall (open, login_required, login_to_price), every price carries "
        "its audience, and what anonymous visitors may not see is never published as public.",
    ),
    Rule(
        "VE-8",
        "Retail prices are mirrored in every currency that the retail group prices, a B2C customer "
        "has a preferred one that the store defaults to, and a personal order with a location, an "
        "employee or an approval is quarantined.",
    ),
    Rule(
        "VE-12",
        "The first price level to answer wins: item override, location, account, best of the "
        "groups, default list; lists have currency, dates and priority, tiers go by the line's "
        "quantity, and what the ERP resolves itself is mirrored that way.",
    ),
    Rule(
        "TL-6",
        "An organisation's own part numbers are shown to it alone, and the number that the buyer "
        "entered reaches the ERP on the order line.",
    ),
    Rule(
        "TL-7",
        "Invoices, confirmations and delivery notes, as data and PDF, go to their organisation and "
        "to a web order that the viewer may see, never for a retail group; a web order's "
        "confirmation is for its buyer and those entitled to the organisation's orders.",
    ),
    Rule(
        "MI-1",
        "Addresses, terms, tax exemption, credit status, price class and status of mapped accounts "
        "follow the ERP, vanish from the store when they vanish there, and leave alone what the "
        "store's users own.",
    ),
    Rule(
        "MI-2",
        "A mirror writes the differences only, so a run without a difference writes nothing.",
    ),
    Rule(
        "MI-3",
        "A source that looks empty, cut short or implausibly changed stops its mirror before the "
        "first write and alerts, and only a person's confirmation lets it go on.",
    ),
    Rule(
        "MI-4",
        "What is available per item and warehouse, when more is due and what is discontinued can "
        "be mirrored.",
    ),
    Rule(
        "MI-5",
        "An organisation can be shown its account's orders from every source, read-only and apart "
        "from web order history; a retail group's are shown to nobody.",
    ),
    Rule(
        "MI-6",
        "Mirrored invoices include what is open, when it is due and credits, and the roles "
        "entitled to it see balance, credit limit and ageing.",
    ),
    # Registration and administration.
    Rule(
        "TL-5",
        "Registration creates a personal account in B2C mode, and in B2B mode a user with an "
        "organisation that this user manages; hybrid channels offer the choice.",
    ),
    Rule(
        "VE-9",
        "A B2B applicant gives company, tax ID, contact and the jurisdiction's documents (PDF or "
        "image, kept in S3-compatible storage); staff ask for more, approve or reject, and "
        "approval links or creates the ERP customer, makes the account Active and lets its "
        "employees in.",
    ),
    Rule(
        "VE-10",
        "The console shows accounts, registrations, groups and B2C customers and assigns customer "
        "IDs by writing the mapping file itself, comments, order and authorship kept; the ERP's "
        "data is read-only there, the store's is edited through its connector.",
        kept=False,
    ),
    # Operation.
    Rule(
        "OP-1",
        "Flows run unwatched on their schedules, never twice at once, with jittered retries, a "
        "breaker for a system that is down, catch-up, a graceful stop, and a start after kill -9 "
        "that neither loses nor doubles anything.",
    ),
    Rule(
        "OP-2",
        "While the daemon runs, an operator can ask from the shell for a resync of any flow in any "
        "scope, preview it, watch it, cancel it, and read what it changed.",
    ),
    Rule(
        "OP-3",
        "The explain command tells which rule routed a user or order, why an order waits or is "
        "quarantined, and where a price or an invoice in the store came from.",
    ),
    Rule(
        "OP-4",
        "A mapping edit is checked before it counts, with file, line, column and advice: a visible "
        "error or a retail group as customer ID leaves the last good version in force, a live "
        "system's objection warns and quarantines, and a good edit needs no restart.",
    ),
    Rule(
        "OP-5",
        "Reconciliation, scheduled or on demand, shows whether orders, totals, ship-tos, invoices "
        "and prices agree on both sides and names each drift.",
        lacks="one report of all flows by schedule; the plan of each flow lists its drift",
    ),
    Rule(
        "OP-6",
        "Health, metrics, structured logs and alerts come in the forms that operators already "
        "use: systemd, journald, Prometheus, e-mail and chat webhooks.",
        lacks="Prometheus metrics, alerts by e-mail and chat",
    ),
    Rule(
        "OP-7",
        "No secret stands in a file meant for sharing, nor appears in a log, an error or a page.",
    ),
    Rule(
        "OP-8",
        "One installation runs any number of store and ERP pairs, each a pipeline with a mapping, "
        "a schedule and limits to itself.",
    ),
    Rule(
        "OP-9",
        "On request a person's names, addresses and payloads are made anonymous while keys and "
        "amounts remain.",
    ),
)

RULES = MappingProxyType({rule.id: rule for rule in _TABLE})
"""Rule ID -> rule, in the order in which people read them."""

if len(RULES) != len(_TABLE):
    raise ValueError("two rules share one ID")
