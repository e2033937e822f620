"""Reads and writes YAML, without what makes it dangerous or surprising.

There are no anchors, no tags, and no name twice; `no`, `1_000` and `2026-12-31` are texts. What
is read is bounded before it is built.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from webhookproxy.rules import Refused

CHARACTERS_MAX = 4_000_000
PARTS_MAX = 200_000
DEPTH_MAX = 30
# The parser in C reads 300 webhooks in a tenth of the time.
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Parser):  # type: ignore[misc]  # see _Parser
    """Reads four kinds of plain values: text, number, true and false, null."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own attribute

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Return a mapping; raise a YAML error if a name stands twice, of which one would win."""
        names = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in names:
                raise yaml.MarkedYAMLError(
                    problem="a name is not a text, or stands twice", problem_mark=key.start_mark
                )
            names.add(key.value)
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"-?(?:0|[1-9][0-9]{0,30})", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]{0,30})\.[0-9]{1,30}", "-0123456789"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})\\Z"), list(_first)
    )


class _Dumper(yaml.SafeDumper):
    """Writes a value each time it is met, because anchors are not read."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's own method
        return True


def read_yaml(text: str) -> Any:
    """Return the value of a YAML text. Raises Refused, which names no value of it."""
    if len(text) > CHARACTERS_MAX:
        raise _refused(
            f"The file is longer than {CHARACTERS_MAX:,} characters: split it.",
            "O arquivo passa de 4.000.000 de caracteres: divida-o.",
        )
    try:
        _check_events(text)
        # The loader is a SafeLoader.
        return yaml.load(text, _Loader)  # noqa: S506 # nosec B506
    except yaml.MarkedYAMLError as error:
        line = _line(error.problem_mark or error.context_mark)
        raise _refused(
            f"Line {line} is not YAML that can be read: {error.problem}.",
            f"A linha {line} não é YAML que se possa ler.",
        ) from None
    except (yaml.YAMLError, ValueError):
        raise _refused(
            "The file has characters that YAML does not take.",
            "O arquivo tem caracteres que o YAML não aceita.",
        ) from None


def write_yaml(value: object) -> str:
    """Return a value as YAML, in the order of its fields."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _check_events(text: str) -> None:
    """Raise before anything is built if the text is too deep, too much, or has anchors or tags."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, _Loader)):
        line = _line(event.start_mark)
        if getattr(event, "anchor", None) or isinstance(event, yaml.AliasEvent):
            raise _refused(
                f"Line {line} has an anchor or an alias (& or *): write the value out, or put it "
                "between quotes.",
                f"A linha {line} tem uma âncora (& ou *): escreva o valor por extenso, ou entre "
                "aspas.",
            )
        if getattr(event, "tag", None):
            raise _refused(
                f"Line {line} has a tag (!): put the value between quotes.",
                f"A linha {line} tem uma marca (!): escreva o valor entre aspas.",
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX or number > PARTS_MAX:
            raise _refused(
                f"Line {line}: the file is nested too deep or has too many values.",
                f"Linha {line}: o arquivo tem níveis demais ou valores demais.",
            )


def _line(mark: Any) -> int:
    return 1 if mark is None else int(mark.line) + 1


def _refused(english: str, portuguese: str) -> Refused:
    return Refused.one("", english, portuguese)
