"""The catalogue of 3C Plus events."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from webhookproxy.api.shared.operations import Given, Operations
from webhookproxy.api.shared.problems import ApiProblem
from webhookproxy.events.catalog import CATALOG, MAX_NAME_LENGTH

operations = Operations("catalogue", "Catálogo")


class CatalogueEntry(BaseModel):
    """An event name that 3C Plus sends; `is_documented` false: not confirmed by 3C Plus."""

    name: str
    category: str
    description: str
    is_documented: bool


class Catalogue(BaseModel):
    """Every name of the catalogue."""

    items: list[CatalogueEntry]


class Sample(CatalogueEntry):
    """A name, with a payload that was made up."""

    sample: Any


class NamePath(Given):
    """The name of an event."""

    name: Annotated[str, Field(max_length=MAX_NAME_LENGTH)]


@operations.reads("/catalogue", Catalogue, "Lista os eventos que a 3C Plus envia")
def list_catalogue() -> Catalogue:
    """List the names of the catalogue."""
    return Catalogue(items=[CatalogueEntry(**_entry(name)) for name in CATALOG])


@operations.reads("/catalogue/<name>", Sample, "Mostra um evento do catálogo, com um exemplo")
def show_catalogue_event(path: NamePath) -> Sample:
    """Show one name, with its sample."""
    if path.name not in CATALOG:
        raise ApiProblem(404)
    return Sample(**_entry(path.name), sample=CATALOG[path.name].sample)


def _entry(name: str) -> dict[str, Any]:
    known = CATALOG[name]
    return {
        "name": name,
        "category": known.category,
        "description": known.description,
        "is_documented": known.documented,
    }
