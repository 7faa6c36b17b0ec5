"""Made-up companies, people and places. Any likeness is chance.

Letters beyond ASCII are there on purpose, and all of them exist in the ERP's
own character set; the order that has others is one of the wrong ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from sync.domain.address import Address, TypedAddress

COMPANIES = (
    "Alder Creek Builders",
    "Brightwater Marine",
    "Castellan Roofing",
    "Castellan Roofing North",
    "Dunmore Industrial Supply",
    "Eastgate Facilities",
    "Fennimore & Daughters",
    "Granite Ridge School District",
    "Harlan County Works",
    "Ironbridge Fabrication",
    "Juniper Joinery",
    "Keystone Scaffolding",
    "Lakeside Pool Service",
    "Marlow Electric",
    "Northfield Rentals",
    "Oakhurst Cabinets",
    "Prairie Wind Energy",
    "Quarry Road Garage",
    "Redfern Plumbing",
    "Stillwater Signs",
    "Tamarack Outfitters",
    "Union Pier Boatyard",
    "Valley View Orchards",
    "Westbrook Hardware",
    "Xavier Street Theater",
    "Yellow Barn Homes",
    "Zephyr Air Systems",
    "Anchor Point Fisheries",
    "Birch Lane Property Care",
    "Copper Kettle Brewing",
    "Düsselhof Werkzeuge",
    "Élan Menuiserie",
    "Færgeby Skibsværft",
    "Gärtner & Söhne",
    "Hôtel des Quatre Vents",
    "IJsselbouw Techniek",
    "Kingsway Export",
    "Larkspur Trading",
    "Mountain Home Hospital",
    "New Harmony Co-operative",
)

_GIVEN = (
    "Ada",
    "Bruno",
    "Carla",
    "Dmitri",
    "Esmé",
    "Felix",
    "Greta",
    "Hugo",
    "Inés",
    "Jonas",
    "Karin",
    "Liam",
    "Maëlle",
    "Nils",
    "Olga",
    "Piet",
    "Quinn",
    "Rosa",
    "Sören",
    "Tess",
    "Ursula",
    "Viktor",
    "Wanda",
    "Yusuf",
    "Zoë",
)
_FAMILY = (
    "Abbott",
    "Bergström",
    "Castellanos",
    "Dubois",
    "Ekholm",
    "Fitzgerald",
    "Gómez",
    "Hoffmann",
    "Ivers",
    "Jørgensen",
    "Kowalski",
    "Lefèvre",
    "Morgan",
    "Núñez",
    "Oduya",
    "Petit",
    "Quill",
    "Ramos",
    "Schäfer",
    "Tanaka",
    "Underwood",
    "Vogel",
    "Whitfield",
)


@dataclass(frozen=True, slots=True)
class Place:
    city: str
    region: str | None
    postal_code: str
    country: str
    streets: tuple[str, ...]


AMERICAN = (
    Place("Decatur", "IL", "62521", "US", ("Cerro Gordo St", "Eldorado St", "Packard Ave")),
    Place("Racine", "WI", "53403", "US", ("Washington Ave", "Harbor Dr", "Lathrop Ave")),
    Place("Muskegon", "MI", "49440", "US", ("Terrace St", "Shoreline Dr", "Peck St")),
    Place("Dubuque", "IA", "52001", "US", ("Kerper Blvd", "Locust St", "Rhomberg Ave")),
    Place("Española", "NM", "87532", "US", ("Paseo de Oñate", "Riverside Dr")),
    Place("Bangor", "ME", "04401", "US", ("Hammond St", "Stillwater Ave")),
    Place("Trois-Rivières", "QC", "G9A 5C5", "CA", ("Rue des Forges", "Boulevard Royal")),
)

EUROPEAN = (
    Place("Köln", None, "50667", "DE", ("Domstraße", "Am Südkai", "Hansaring")),
    Place("Angoulême", None, "16000", "FR", ("Rue de l'Évêché", "Quai du Halage")),
    Place("'s-Hertogenbosch", None, "5211 AB", "NL", ("Zuidwal", "Kanaaldijk")),
    Place("Sønderborg", None, "6400", "DK", ("Færgevej", "Ærøgade")),
    Place("La Coruña", None, "15001", "ES", ("Calle Peñarredonda", "Rúa do Porto")),
    Place("Linköping", None, "582 22", "SE", ("Ågatan", "Östgötagatan")),
)


def person(chance: Random) -> str:
    return f"{chance.choice(_GIVEN)} {chance.choice(_FAMILY)}"


def mailbox(name: str, host: str) -> str:
    """An address under a domain that can never receive mail."""
    plain = "".join(letter for letter in name.lower() if letter.isascii() and letter.isalnum())
    return f"{plain}@{host}.example"


def company_address(chance: Random, company: str, *, european: bool) -> Address:
    place = chance.choice(EUROPEAN if european else AMERICAN)
    lines = [f"{chance.randint(1, 4200)} {chance.choice(place.streets)}"]
    if chance.random() < 0.3:
        lines.append(f"Dock {chance.randint(1, 12)}")
    return Address(
        name=company,
        lines=tuple(lines),
        city=place.city,
        region=place.region,
        postal_code=place.postal_code,
        country=place.country,
        attention=person(chance) if chance.random() < 0.4 else None,
        phone=_phone(chance, place.country),
    )


def private_address(chance: Random, name: str, *, european: bool) -> TypedAddress:
    """An address as a shopper types it, complete."""
    place = chance.choice(EUROPEAN if european else AMERICAN)
    return TypedAddress(
        name=name,
        lines=(f"{chance.randint(1, 980)} {chance.choice(place.streets)}",),
        city=place.city,
        region=place.region,
        postal_code=place.postal_code,
        country=place.country,
        phone=_phone(chance, place.country),
        email=mailbox(name, "mail"),
        residential=True,
    )


def _phone(chance: Random, country: str) -> str:
    prefix = {"US": "+1 217 555", "CA": "+1 819 555"}.get(country, "+49 30 555")
    return f"{prefix} {chance.randint(100, 9999):04d}"
