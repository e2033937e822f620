"""Reads the recipes, and fills one with the answers to its questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from webhookproxy.declared.groups import ListOf, MapOf, Record
from webhookproxy.declared.shapes import Flag, Text
from webhookproxy.declared.webhooks import WEBHOOK, given_webhook
from webhookproxy.declared.yaml_text import read_yaml
from webhookproxy.rules import Problems, Refused
from webhookproxy.rules.webhooks import WebhookInput

_QUESTION = Record(
    {
        "label": Text(),
        "help": Text(),
        "default": Text(),
        "choices": MapOf(Text()),
        "ending": Text(),
        "secret": Flag(),
    },
    required=("label",),
)
_RECIPE = Record(
    {
        "name": Text(),
        "about": Text(),
        "questions": MapOf(_QUESTION),
        "yours": Text(),
        "repeat": Text(),
        "documentation": ListOf(Text()),
        "read": Text(),
        "paste": Text(),
    },
    required=("name", "about", "questions", "yours", "repeat", "documentation", "read"),
)
# The answer to a question without a usual one, where the real answer is not needed.
_SAMPLE = "exemplo"


@dataclass(frozen=True, slots=True)
class Question:
    """One question: `choices` are what may be answered, `ending` is added to what lacks it."""

    key: str
    label: str
    help: str = ""
    default: str = ""
    choices: Mapping[str, str] | None = None
    ending: str = ""
    secret: bool = False

    @property
    def usual(self) -> str:
        """Return the answer that is given already; "" if the user must give one."""
        return self.default or next(iter(self.choices or ()), "")

    def answer(self, typed: str) -> str:
        """Return what was typed, trimmed and with the ending."""
        given = typed.strip()
        return given if not given or given.endswith(self.ending) else given + self.ending


@dataclass(frozen=True, slots=True)
class Recipe:
    """A webhook with gaps for the answers, and what a user must know before using it.

    `yours` says what stays the user's, `repeat` what an event that arrives twice does there, and
    `paste` is a program that the receiver needs. `webhook` is declared data, with gaps like
    [[url]] in its texts.
    """

    key: str
    name: str
    about: str
    yours: str
    repeat: str
    documentation: tuple[str, ...]
    read: str
    questions: Mapping[str, Question]
    webhook: Mapping[str, Any]
    paste: str = ""

    @property
    def usual_name(self) -> str:
        """Return the name that its webhook gets if the user gives no other."""
        return str(self.webhook["name"])

    def filled(self, answers: Mapping[str, str]) -> WebhookInput:
        """Return the webhook for these answers. Raises Refused, by the keys of the questions."""
        problems, given = Problems(), dict[str, str]()
        for key, question in self.questions.items():
            given[key] = question.answer(answers.get(key, ""))
            if not given[key]:
                problems.add(key, f"Answer: {question.label}.", "Responda esta pergunta.")
            elif question.choices is not None and given[key] not in question.choices:
                problems.add(key, "Choose one of the answers.", "Escolha uma das respostas.")
        problems.raise_any()
        read = WEBHOOK.read(_filled(self.webhook, given), "", problems)
        problems.raise_any()
        return WebhookInput(**given_webhook(read))

    def sample(self) -> WebhookInput:
        """Return the webhook for the usual answers, to show what it sends before it is made."""
        usual = {key: each.usual or _SAMPLE for key, each in self.questions.items()}
        return self.filled(usual)


def _filled(webhook: Mapping[str, Any], answers: Mapping[str, str]) -> dict[str, Any]:
    """Return declared data with the answers in its gaps."""
    # An answer that is not the address itself must not change the meaning of the address.
    quoted = {key: quote(given, safe="") for key, given in answers.items()}
    quoted |= {"url": answers["url"]} if "url" in answers else {}
    made: dict[str, Any] = _each_text(dict(webhook), lambda text: _put(text, answers))
    made["url"] = _put(str(webhook["url"]), quoted)
    if isinstance(made.get("events"), list):
        # One choice may stand for several events.
        made["events"] = " ".join(made["events"]).split()
    if isinstance(made.get("rate_limit"), str):
        made["rate_limit"] = _number(made["rate_limit"])
    return made


def _put(text: str, answers: Mapping[str, str]) -> str:
    for key, given in answers.items():
        text = text.replace(f"[[{key}]]", given)
    return text


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _each_text(each, change) for key, each in value.items()}
    if isinstance(value, list):
        return [_each_text(each, change) for each in value]
    return value


def _number(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise Refused.one(
            "rate",
            "This is not a number: write for example 2 or 0.5.",
            "Isto não é um número: escreva, por exemplo, 2 ou 0,5.",
        ) from None


@cache
def recipes() -> dict[str, Recipe]:
    """Return all recipes by their keys, which are the names of their files."""
    folder = files("webhookproxy.recipes")
    found = (each for each in folder.iterdir() if each.name.endswith(".yaml"))
    read = [
        read_recipe(each.name.removesuffix(".yaml"), each.read_text(encoding="utf-8"))
        for each in found
    ]
    return {each.key: each for each in sorted(read, key=lambda each: each.name.casefold())}


def read_recipe(key: str, text: str) -> Recipe:
    """Return the recipe that a file's text holds. Raises Refused."""
    declared, problems = dict(read_yaml(text)), Problems()
    webhook = declared.pop("webhook", {})
    read = _RECIPE.read(declared, key, problems)
    problems.raise_any()
    questions = {name: Question(name, **each) for name, each in read.pop("questions").items()}
    read["documentation"] = tuple(read["documentation"])
    return Recipe(key, questions=questions, webhook=webhook, **read)
