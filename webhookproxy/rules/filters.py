"""The checks of a webhook's filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from webhookproxy.events.catalog import is_event_name
from webhookproxy.events.conditions import Compiled, Condition, Operator
from webhookproxy.events.newer_version import NewerVersion
from webhookproxy.events.payload_paths import BadPath, parse_path
from webhookproxy.rules import Problems

CONDITIONS_MAX = 20
FILTERED_EVENTS_MAX = 100
# With an operator they fit into the words that a filtered delivery keeps.
PATH_MAX = 150
VALUE_MAX = 120

Filters = Mapping[str, Sequence[Condition]]
Checked = dict[str, tuple[Condition, ...]]
Stored = Mapping[str, Sequence[Mapping[str, str]]]


def check_filters(filters: Filters | None) -> Checked | None:
    """Return the filters, trimmed, without events that have no condition. Raises Refused.

    None if nothing is filtered.
    """
    problems = Problems()
    checked: Checked = {}
    for name, conditions in (filters or {}).items():
        if not is_event_name(name):
            problems.add(
                "filters",
                f"{name[:60]!r} is not an event name: up to 200 printable characters.",
                f"{name[:60]!r} não é um nome de evento: até 200 caracteres visíveis.",
            )
        clean = tuple(dict.fromkeys(_check_condition(each, problems) for each in conditions))
        if len(clean) > CONDITIONS_MAX:
            problems.add(
                "filters",
                f"{name[:60]} has {len(clean)} conditions: keep at most {CONDITIONS_MAX}.",
                f"{name[:60]} tem {len(clean)} condições: deixe no máximo {CONDITIONS_MAX}.",
            )
        if clean:
            checked[name] = clean
    if len(checked) > FILTERED_EVENTS_MAX:
        problems.add(
            "filters",
            f"{len(checked)} events have conditions: at most {FILTERED_EVENTS_MAX} may.",
            f"{len(checked)} eventos têm condições: no máximo {FILTERED_EVENTS_MAX} podem ter.",
        )
    problems.raise_any()
    return checked or None


def _check_condition(given: Condition, problems: Problems) -> Condition:
    """Return the condition, trimmed, and without a value that its operator does not use."""
    path, value = given.path.strip(), given.value.strip()
    _check_path(path, problems)
    if given.operator is Operator.EXISTS:
        return Condition(path, given.operator)
    shown = path[:60] or "(vazio)"
    if not value:
        problems.add(
            "filters",
            f'Give {shown} a value; write "" for the empty text.',
            f'Informe um valor para {shown}; para o texto vazio, escreva "".',
        )
    elif len(value) > VALUE_MAX:
        problems.add(
            "filters",
            f"The value for {shown} is longer than {VALUE_MAX} characters: "
            "use a part of it with contem.",
            f"O valor de {shown} passa de {VALUE_MAX} caracteres: use um trecho dele com “contém”.",
        )
    elif not value.isprintable():
        problems.add(
            "filters",
            f"The value for {shown} has line breaks or control characters: "
            "use a part of it with contem.",
            f"O valor de {shown} tem quebras de linha ou caracteres de controle: use um trecho "
            "dele com “contém”.",
        )
    return Condition(path, given.operator, value)


def _check_path(path: str, problems: Problems) -> None:
    try:
        parse_path(path)
    except BadPath:
        problems.add(
            "filters",
            f"{path[:60]!r} is not a path: write it like call.status, tags[0] or "
            '["a key.with a dot"].',
            f"{path[:60]!r} não é um campo: escreva como call.status, tags[0] ou "
            '["chave com.ponto"].',
        )
        return
    if len(path) > PATH_MAX or not path.isprintable():
        problems.add(
            "filters",
            f"The path {path[:60]!r} is longer than {PATH_MAX} characters, or has ones that "
            "cannot be shown.",
            f"O campo {path[:60]!r} passa de {PATH_MAX} caracteres, ou tem algum que não se "
            "pode mostrar.",
        )


def stored_filters(filters: Filters | None) -> dict[str, list[dict[str, str]]] | None:
    """Return the filters as the database keeps them."""
    if not filters:
        return None
    return {name: [stored_condition(each) for each in found] for name, found in filters.items()}


def read_filters(stored: Stored | None) -> Checked | None:
    """Return the filters from the database's form; None if nothing is filtered.

    Raises NewerVersion for an operator that is unknown.
    """
    if not stored:
        return None
    return {name: tuple(map(read_condition, found)) for name, found in stored.items()}


def compiled_filters(stored: Stored | None) -> dict[str, Compiled]:
    """Return the filters from the database's form, ready for many payloads; see read_filters."""
    filters = read_filters(stored) or {}
    return {name: Compiled(conditions) for name, conditions in filters.items()}


def stored_condition(condition: Condition) -> dict[str, str]:
    """Return a condition as the database keeps it."""
    path, operator, value = condition.path, condition.operator.value, condition.value
    return {"path": path, "operator": operator, "value": value}


def read_condition(stored: Mapping[str, str]) -> Condition:
    """Return the condition from the database's form. Raises NewerVersion if it is unknown."""
    try:
        return Condition(stored["path"], Operator(stored["operator"]), stored["value"])
    except (KeyError, TypeError, ValueError) as error:
        raise NewerVersion from error
