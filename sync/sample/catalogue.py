"""Two thousand articles of a distributor of fasteners, tools and site supplies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice, product
from random import Random

from sync.domain.account import Item
from sync.domain.ids import CustomerId, Sku

ITEM_COUNT = 2000
CASE = ("CS", Decimal(12))
BOX = ("BX", Decimal(100))
ROLL = ("RL", Decimal(50))


@dataclass(frozen=True, slots=True)
class KitPart:
    kit: Sku
    part: Sku
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All items, what each costs before anybody's discount, and what kits are made of.

    ``cost`` is the base price of one stock unit in US dollars.
    """

    items: tuple[Item, ...]
    cost: dict[Sku, Decimal]
    parts: tuple[KitPart, ...]

    def item(self, sku: Sku) -> Item:
        """Raises KeyError for one that the catalogue does not have."""
        for item in self.items:
            if item.sku == sku:
                return item
        raise KeyError(sku)

    def sellable(self) -> tuple[Item, ...]:
        """What everybody may buy."""
        return tuple(
            item
            for item in self.items
            if item.active and not item.discontinued and item.allowed_to is None
        )

    def kits(self) -> tuple[Item, ...]:
        return tuple(item for item in self.sellable() if item.kit)

    def parts_of(self, kit: Sku) -> tuple[KitPart, ...]:
        return tuple(part for part in self.parts if part.kit == kit)


@dataclass(frozen=True, slots=True)
class _Family:
    """A page of the catalogue: what varies, the price range, how it is sold."""

    code: str
    name: str
    sizes: tuple[str, ...]
    kinds: tuple[str, ...]
    grades: tuple[str, ...]
    low: str
    high: str
    units: tuple[tuple[str, Decimal], ...] = ()
    stock_unit: str = "EA"
    whole: bool = True
    places: int = 2


_METRIC = ("M4", "M5", "M6", "M8", "M10", "M12", "M16", "M20")
_FAMILIES = (
    _Family(
        "HB",
        "Hex bolt",
        _METRIC,
        ("20", "25", "30", "40", "50", "60", "80", "100"),
        ("8.8 zinc", "10.9 plain", "A2 stainless", "A4 stainless"),
        "0.0400",
        "2.9000",
        (CASE, BOX),
        places=4,
    ),
    _Family(
        "HN",
        "Hex nut",
        _METRIC,
        ("full", "half", "lock", "flange", "cap"),
        ("8 zinc", "10 plain", "A2 stainless", "A4 stainless"),
        "0.0150",
        "0.9000",
        (BOX,),
        places=4,
    ),
    _Family(
        "FW",
        "Washer",
        _METRIC,
        ("flat", "wide", "spring", "tooth"),
        ("zinc", "A2 stainless", "A4 stainless", "nylon"),
        "0.0080",
        "0.3500",
        (BOX,),
        places=4,
    ),
    _Family(
        "SC",
        "Screw",
        ("3.5", "4.0", "4.5", "5.0", "6.0", "8.0"),
        ("16", "25", "35", "50", "70", "90", "120"),
        ("wood", "drywall", "decking", "self-drilling"),
        "0.0200",
        "0.8000",
        (BOX,),
        places=4,
    ),
    _Family(
        "AN",
        "Anchor",
        ("6", "8", "10", "12", "16"),
        ("sleeve", "wedge", "drop-in", "chemical", "frame"),
        ("zinc", "stainless"),
        "0.35",
        "6.80",
        (CASE,),
    ),
    _Family(
        "TR",
        "Threaded rod",
        _METRIC,
        ("500", "1000", "2000", "3000"),
        ("4.6 zinc", "8.8 zinc", "A2 stainless", "A4 stainless"),
        "0.80",
        "38.00",
    ),
    _Family(
        "RV",
        "Blind rivet",
        ("3.2", "4.0", "4.8", "6.4"),
        ("6", "8", "10", "12", "16", "20"),
        ("aluminium", "steel", "stainless", "sealed"),
        "0.0300",
        "0.4200",
        (BOX,),
        places=4,
    ),
    _Family(
        "HC",
        "Hose clamp",
        ("16", "20", "25", "32", "40", "50", "60", "80"),
        ("worm", "spring", "ear", "heavy"),
        ("zinc", "stainless"),
        "0.35",
        "5.90",
        (CASE,),
    ),
    _Family(
        "SW",
        "Saw blade",
        ("140", "160", "190", "210", "250"),
        ("wood", "laminate", "steel", "aluminium", "demolition"),
        ("24 teeth", "48 teeth", "72 teeth"),
        "12.90",
        "96.00",
    ),
    _Family(
        "DB",
        "Drill bit",
        tuple(str(size) for size in range(1, 21)),
        ("HSS", "cobalt", "masonry", "wood", "SDS"),
        ("short", "long"),
        "1.20",
        "38.00",
    ),
    _Family(
        "GL",
        "Work gloves",
        ("7", "8", "9", "10", "11"),
        ("leather", "nitrile", "cut-resistant", "winter", "welding"),
        ("standard", "premium"),
        "2.10",
        "24.90",
        (CASE,),
        stock_unit="PR",
    ),
    _Family(
        "TP",
        "Tape",
        ("19", "25", "38", "50", "75"),
        ("duct", "masking", "electrical", "sealing", "warning", "double-sided"),
        ("economy", "professional"),
        "1.15",
        "17.40",
        (CASE,),
    ),
    _Family(
        "AD",
        "Adhesive",
        ("50 ml", "250 ml", "310 ml", "750 ml"),
        ("construction", "epoxy", "silicone", "threadlock", "contact"),
        ("clear", "grey", "black"),
        "3.80",
        "42.50",
        (CASE,),
    ),
    _Family(
        "CB",
        "Cable",
        ("1.5", "2.5", "4.0", "6.0", "10"),
        ("single-core", "three-core", "five-core", "data", "welding"),
        ("indoor", "outdoor"),
        "0.45",
        "11.60",
        (ROLL,),
        stock_unit="M",
        whole=False,
    ),
    _Family(
        "PT",
        "Power tool",
        ("12V", "18V", "36V", "230V"),
        ("drill", "impact driver", "grinder", "jigsaw", "sander", "mixer", "nailer"),
        ("bare", "set"),
        "59.00",
        "649.00",
    ),
    _Family(
        "LA",
        "Ladder",
        ("3 step", "5 step", "7 step", "9 step"),
        ("folding", "combination", "platform", "roof"),
        ("wood", "aluminium"),
        "39.90",
        "489.00",
    ),
    _Family(
        "SF",
        "Safety",
        ("S", "M", "L", "XL", "XXL"),
        ("vest", "helmet", "goggles", "harness", "ear defenders", "knee pads", "apron"),
        ("basic", "comfort", "professional"),
        "2.40",
        "189.00",
        (CASE,),
    ),
    _Family(
        "PF",
        "Pipe fitting",
        ("15", "18", "22", "28", "35"),
        ("elbow", "tee", "coupling", "reducer", "cap", "valve"),
        ("copper", "brass", "press", "PEX"),
        "0.65",
        "31.00",
        (CASE,),
    ),
    _Family(
        "EL",
        "Electrical box",
        ("1 gang", "2 gang", "3 gang", "4 gang"),
        ("flush", "surface", "floor", "weatherproof", "junction"),
        ("grey", "white", "black"),
        "0.90",
        "28.00",
        (CASE,),
    ),
    _Family(
        "BR",
        "Abrasive disc",
        ("76", "115", "125", "150", "180", "230"),
        ("cutting", "grinding", "flap", "fibre", "diamond"),
        ("steel", "stone", "all-purpose"),
        "0.95",
        "64.00",
        (BOX,),
    ),
)
_KIT_COUNT = 24
_KIT_NAMES = ("Anchor set", "First fix set", "Site starter set", "Workshop set", "Service set")


def build_catalogue(chance: Random, trusted: Sequence[CustomerId], group: str) -> Catalogue:
    """The same items for the same ``chance``.

    Restricted ones go to ``trusted`` only, or to the members of ``group``.
    """
    items: list[Item] = []
    cost: dict[Sku, Decimal] = {}
    for item, price in islice(_articles(chance), ITEM_COUNT - _KIT_COUNT):
        items.append(item)
        cost[item.sku] = price
    items = _with_exceptions(items, trusted, group)
    plain = [item for item in items if item.active and not item.discontinued]
    parts: list[KitPart] = []
    for number in range(_KIT_COUNT):
        kit = Item(
            Sku(f"KT-{number + 1:03d}"),
            "EA",
            description=f"{_KIT_NAMES[number % len(_KIT_NAMES)]} no. {number + 1}",
            kit=True,
        )
        chosen = chance.sample([item for item in plain if item.allowed_to is None], 4)
        quantities = [Decimal(chance.choice((1, 2, 4, 10))) for _ in chosen]
        worth = sum(
            (cost[item.sku] * count for item, count in zip(chosen, quantities, strict=True)),
            Decimal(0),
        )
        cost[kit.sku] = max((worth * Decimal("0.9")).quantize(Decimal("0.01")), Decimal("4.90"))
        parts.extend(
            KitPart(kit.sku, item.sku, count)
            for item, count in zip(chosen, quantities, strict=True)
        )
        items.append(kit)
    return Catalogue(tuple(items), cost, tuple(parts))


def _articles(chance: Random) -> Iterator[tuple[Item, Decimal]]:
    for family in _FAMILIES:
        step = Decimal(1).scaleb(-family.places)
        low, high = Decimal(family.low), Decimal(family.high)
        for number, (size, kind, grade) in enumerate(
            product(family.sizes, family.kinds, family.grades), start=1
        ):
            # Dearer with size, with some disorder; never by floating point.
            place = family.sizes.index(size) + 1
            share = Decimal(place * 100 + chance.randint(0, 60)) / (len(family.sizes) * 100 + 60)
            price = (low + (high - low) * share).quantize(step)
            yield (
                Item(
                    Sku(f"{family.code}-{number:04d}"),
                    family.stock_unit,
                    family.units,
                    f"{family.name} {size} {kind} {grade}",
                    whole_units_only=family.whole,
                ),
                price,
            )


def _with_exceptions(items: list[Item], trusted: Sequence[CustomerId], group: str) -> list[Item]:
    """Some articles are no longer, not at all or not to everybody for sale."""
    changed = []
    for number, item in enumerate(items):
        if number % 83 == 40:
            item = replace(item, discontinued=True)
        elif number % 211 == 60:
            item = replace(item, active=False)
        elif number % 149 == 75:
            item = replace(item, allowed_to=frozenset(trusted))
        elif number % 149 == 20:
            item = replace(item, allowed_to=frozenset(), allowed_tags=frozenset({group}))
        changed.append(item)
    return changed
