from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from webhookproxy.declared import yaml_text
from webhookproxy.declared.files import FILE, file_schema, read_file
from webhookproxy.declared.yaml_text import (
    CHARACTERS_MAX,
    DEPTH_MAX,
    read_yaml,
    write_yaml,
)
from webhookproxy.rules import Problems, Refused

GUIDE = Path(__file__).parents[2] / "docs/uso/configuracao.md"
# Every field of the file.
WHOLE: dict[str, Any] = {
    "version": 1,
    "companies": {
        "acme": {
            "name": "Acme",
            "token": "t",
            "token_expires": "2026-12-31",
            "socket_url": "https://socket.example.com/",
            "rest_url": "https://acme.3c.plus/api/v1",
            "recover_calls": False,
            "agent_id": "7",
            "threec_id": "12",
            "timezone": "America/Bahia",
            "retention_days": 7,
            "hide_credentials": True,
            "webhooks": {
                "crm": {
                    "name": "CRM",
                    "url": "https://crm.example.com/",
                    "events": ["call-was-connected"],
                    "filters": {"e": [{"path": "a", "operator": "igual", "value": "1"}]},
                    "authorization": "a",
                    "secret": "s",
                    "headers": {"X-Api-Key": "k"},
                    "success_rule": {"operator": "igual", "path": "ok", "value": "true"},
                    "state": "active",
                    "parallelism": 8,
                    "timeout": 15,
                    "rate_limit": 2.5,
                    "max_age": 72,
                    "takes_recovered": True,
                    "format": {
                        "kind": "montado",
                        "encoding": "json",
                        "rows": [
                            {
                                "name": "a",
                                "kind": "valor",
                                "paths": ["a"],
                                "text": "",
                                "steps": [
                                    "digitos",
                                    {"kind": "tabela", "table": {"1": "x"}, "default": "y"},
                                ],
                                "if_missing": "vazio",
                            }
                        ],
                        "less": {"kept": "sem", "paths": ["a"], "masked": ["b"]},
                    },
                },
                "short": {"url": "https://a.example.com/", "format": "nativo"},
            },
        }
    },
}
OTHERS = ["", "texto", 1, 8.0, 2.5, True, None, [], ["a"], [1], {}, {"a": 1}, {"kind": "nativo"}]


def places(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value inside."""
    if path:
        yield path
    if isinstance(value, dict | list):
        inside = value.items() if isinstance(value, dict) else enumerate(value)
        for name, each in inside:
            yield from places(each, *path, name)


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The whole file with another value at one path, or, for KeyError, without it."""
    made = copy.deepcopy(WHOLE)
    holder: Any = made
    for name in path[:-1]:
        holder = holder[name]
    if value is KeyError:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return made


def is_read(value: Any) -> bool:
    problems = Problems()
    FILE.read(value, "", problems)
    try:
        problems.raise_any()
    except Refused:
        return False
    return True


def test_the_schema_for_editors_takes_exactly_what_is_read() -> None:
    schema = jsonschema_rs.validator_for(file_schema())
    files = [WHOLE, *OTHERS]
    for path in places(WHOLE):
        files += [changed(path, value) for value in (KeyError, *OTHERS)]
        files += [changed((*path[:-1], "outro"), 1) for _ in "1" if isinstance(path[-1], str)]
    verdicts = [(schema.is_valid(file), is_read(file)) for file in files]
    assert [file for file, (one, other) in zip(files, verdicts, strict=True) if one != other] == []
    # Both kinds were tried.
    assert {one for one, _ in verdicts} == {True, False}


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("version",), 2, "version"),
        (("companies", "acme", "retention_days"), 400, "companies/acme/retention_days"),
        (("companies", "acme", "token_expires"), "2026", "companies/acme/token_expires"),
        (
            ("companies", "acme", "webhooks", "crm", "format", "rows", 0, "steps", 1, "kind"),
            "upper",
            "companies/acme/webhooks/crm/format/rows/0/steps/1/kind",
        ),
        (
            ("companies", "acme", "webhooks", "crm", "filters", "e", 0, "value"),
            7,
            "companies/acme/webhooks/crm/filters/e/0/value",
        ),
        (("companies", "acme", "webhooks", "-x"), {}, "companies/acme/webhooks/-x"),
        (
            ("companies", "acme", "webhooks", "crm", "name"),
            "\ud800",
            "companies/acme/webhooks/crm/name",
        ),
        (
            ("companies", "acme", "webhooks", "crm", "timeout"),
            10**400,
            "companies/acme/webhooks/crm/timeout",
        ),
    ],
)
def test_a_mistake_is_told_with_its_path(path: tuple[Any, ...], value: Any, where: str) -> None:
    def read() -> None:
        problems = Problems()
        made = changed(path, value)
        # As a program gives it: YAML has no half characters.
        FILE.read(made, "", problems)
        problems.raise_any()
        read_file(write_yaml(made), str, 90)

    with pytest.raises(Refused) as refused:
        read()
    assert [each.field for each in refused.value.problems] == [where]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x 1", "Line 1 has an anchor"),
        ("a: 1\nb: *x", "Line 2 has an anchor"),
        ("a: !!python/object:os.system x", "Line 1 has a tag"),
        ("a: !!binary aGk=", "Line 1 has a tag"),
        (
            "a: 1\na: 2",
            "Line 2 is not YAML that can be read: a name is not a text, or stands twice",
        ),
        ("? [a]\n: 1", "Line 1 is not YAML"),
        ("a: [", "is not YAML"),
        ("a:\n\t- b", "Line 2 is not YAML"),
        ("a: 1\n---\nb: 2", "Line 2 is not YAML"),
        ("a: \x00", "characters that YAML does not take"),
        ("[" * (DEPTH_MAX + 1), "nested too deep"),
        ("[" * 100_000, "nest"),
        ("[" + "1," * 1_000, "too many values"),
        (" " * (CHARACTERS_MAX + 1), "longer than 4,000,000"),
    ],
    ids=range(14),
)
def test_dangerous_or_doubtful_yaml_is_refused(
    text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaml_text, "PARTS_MAX", 900)
    with pytest.raises(Refused) as refused:
        read_yaml(text)
    assert words in str(refused.value)


def test_only_true_false_numbers_and_null_are_no_texts() -> None:
    text = "[no, on, 2026-12-31, 1_000, 0x1F, 0o7, 012, 1e3, .5, .nan, 12:30, 7, -7, 1.50, true, ~]"
    assert read_yaml(text) == [
        *("no", "on", "2026-12-31", "1_000", "0x1F", "0o7", "012", "1e3", ".5", ".nan", "12:30"),
        *(7, -7, 1.5, True, None),
    ]


def test_the_file_of_the_guide_is_read() -> None:
    (file,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    found = read_file(file, lambda text: f"meant by {text}", 90)
    assert found["acme"].webhooks["crm"].given["headers"] == (
        ("X-Api-Key", "meant by env:WEBHOOKPROXY_SECRET_CRM_KEY"),
    )
