"""The rule by which an answer with a 2xx counts as success, its checks and its words.

It is a condition: on a field of the answer's JSON, which equals a value or exists, or, without a
path, on the answer's text, which contains another text or does not.
"""

from __future__ import annotations

from collections.abc import Mapping

from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.events.newer_version import NewerVersion
from webhookproxy.events.payload_paths import BadPath, parse_path
from webhookproxy.rules import Problems
from webhookproxy.rules.filters import PATH_MAX, VALUE_MAX, read_condition, stored_condition

# Those on a field, and those on the text.
OF_FIELD = (Operator.EQUAL, Operator.EXISTS)
OF_TEXT = (Operator.CONTAINS, Operator.LACKS)
# The choices, by the word that forms and commands use; the first one is no rule.
ANY = "qualquer"
CHOICES: Mapping[str, str] = {
    ANY: "Qualquer resposta 2xx",
    Operator.EQUAL: "2xx, se um campo é igual a",
    Operator.EXISTS: "2xx, se um campo existe",
    Operator.CONTAINS: "2xx, se o texto contém",
    Operator.LACKS: "2xx, se o texto não contém",
}


def chosen_rule(choice: str, path: str, text: str, problems: Problems) -> Condition | None:
    """Return the rule that was typed, trimmed, without what its kind does not use."""
    if choice == ANY:
        return None
    if choice not in CHOICES:
        words = ", ".join(CHOICES)
        problems.add(
            "success",
            f"{choice[:60]!r} is not a rule of success: choose one of {words}.",
            f"{choice[:60]!r} não é uma regra de sucesso: escolha uma destas: {words}.",
        )
        return None
    operator = Operator(choice)
    return Condition(
        path.strip() if operator in OF_FIELD else "",
        operator,
        "" if operator is Operator.EXISTS else text.strip(),
    )


def check_success_rule(rule: Condition | None, problems: Problems) -> None:
    """Note everything that is wrong with a rule."""
    if rule is None:
        return
    if rule.operator in OF_FIELD:
        _check_path(rule.path, problems)
    if rule.operator is Operator.EXISTS:
        return
    if not rule.value:
        problems.add(
            "success_text",
            "Give the rule of success a text to compare with.",
            "Informe o valor ou o texto que a resposta de sucesso deve, ou não deve, ter.",
        )
    elif len(rule.value) > VALUE_MAX or not rule.value.isprintable():
        problems.add(
            "success_text",
            f"The text of the rule of success is longer than {VALUE_MAX} characters, or has line "
            "breaks or control characters: use a part of it.",
            f"O texto passa de {VALUE_MAX} caracteres, ou tem quebras de linha ou caracteres de "
            "controle: use um trecho dele.",
        )


def _check_path(path: str, problems: Problems) -> None:
    if not path:
        problems.add(
            "success_path",
            "Give the rule of success a field of the answer, like ok, result.id or errors[0].",
            "Informe o campo da resposta, como ok, result.id ou errors[0].",
        )
        return
    try:
        if len(path) > PATH_MAX or not path.isprintable():
            raise BadPath(path)
        parse_path(path)
    except BadPath:
        problems.add(
            "success_path",
            f"{path[:60]!r} is not a field of an answer: write it like ok, result.id or "
            f"errors[0], with up to {PATH_MAX} characters.",
            f"{path[:60]!r} não é um campo da resposta: escreva como ok, result.id ou errors[0], "
            f"com até {PATH_MAX} caracteres.",
        )


def success_words(rule: Condition | None) -> str:
    """Return in Portuguese what counts as success; goes on after "sucesso é"."""
    if rule is None:
        return "qualquer 2xx"
    match rule.operator:
        case Operator.EXISTS:
            asked = f"tem o campo {rule.path}"
        case Operator.CONTAINS:
            asked = f"contém “{rule.value}”"
        case Operator.LACKS:
            asked = f"não contém “{rule.value}”"
        case _:
            asked = f"tem {rule.path} igual a {rule.value}"
    return f"um 2xx cuja resposta {asked}"


def stored_success_rule(rule: Condition | None) -> dict[str, str] | None:
    """Return a rule as the database keeps it; None for none."""
    return None if rule is None else stored_condition(rule)


def read_success_rule(stored: Mapping[str, str] | None) -> Condition | None:
    """Return the rule from the database's form. Raises NewerVersion for one that is unknown."""
    if stored is None:
        return None
    rule = read_condition(stored)
    if rule.operator not in (*OF_FIELD, *OF_TEXT):
        raise NewerVersion
    return rule
