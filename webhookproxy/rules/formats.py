"""The checks of a webhook's format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from webhookproxy.events.formats.body_names import BadName, Body, parse_name
from webhookproxy.events.formats.definition import (
    PLACE,
    Encoding,
    Format,
    FormatKind,
    Kept,
    Less,
    Row,
    RowKind,
    RowStep,
    StepKind,
)
from webhookproxy.events.payload_paths import BadPath, parse_path
from webhookproxy.rules import Problems
from webhookproxy.rules.filters import PATH_MAX

ROWS_MAX = 100
NAME_MAX = 150
TEXT_MAX = 2_000
PATHS_MAX = 5
STEPS_MAX = 5
TABLE_MAX = 200
TABLE_TEXT_MAX = 200
LESS_MAX = 50


def chosen_format(kind: str, encoding: str) -> Format:
    """Return the format that was chosen by its words. Raises Refused."""
    problems = Problems()
    if kind not in list(FormatKind):
        words = ", ".join(FormatKind)
        problems.add(
            "format",
            f"{kind[:60]!r} is not a format: choose one of {words}.",
            f"{kind[:60]!r} não é um formato: escolha um destes: {words}.",
        )
    if encoding not in list(Encoding):
        words = ", ".join(Encoding)
        problems.add(
            "encoding",
            f"{encoding[:60]!r} is not an encoding: choose one of {words}.",
            f"{encoding[:60]!r} não é um jeito de escrever o corpo: escolha um destes: {words}.",
        )
    problems.raise_any()
    return Format(FormatKind(kind), Encoding(encoding))


def check_format(given: Format) -> Format:
    """Return the format, trimmed, and without what its kind does not use. Raises Refused."""
    problems = Problems()
    rows = _check_rows(given.rows, problems) if given.kind is FormatKind.MAPPED else ()
    less = _check_less(given.less, problems) if given.kind.holds_payload else Less()
    problems.raise_any()
    return Format(given.kind, given.encoding, rows, less)


def _check_rows(given: tuple[Row, ...], problems: Problems) -> tuple[Row, ...]:
    if not given:
        _add(
            problems,
            "A mapped body needs at least one field: put it together on the page of the format.",
            "Um corpo montado precisa de pelo menos um campo: monte-o na página “Montar e ver o "
            "corpo” do webhook.",
        )
    elif len(given) > ROWS_MAX:
        _add(
            problems,
            f"{len(given)} fields: a body has at most {ROWS_MAX}.",
            f"São {len(given)} campos: um corpo montado tem até {ROWS_MAX}.",
        )
        return ()
    body = Body()
    return tuple(_check_row(row, body, problems) for row in given)


def _check_row(row: Row, body: Body, problems: Problems) -> Row:
    name = row.name.strip()
    _check_name(name, body, problems)
    paths = tuple(dict.fromkeys(path.strip() for path in row.paths if path.strip()))
    shown = name[:60] or "(vazio)"
    if row.kind is RowKind.VALUE:
        if not 1 <= len(paths) <= PATHS_MAX:
            _add(
                problems,
                f"{shown} has {len(paths)} paths: give 1 to {PATHS_MAX}.",
                f"{shown} tem {len(paths)} valores: escolha de 1 a {PATHS_MAX}.",
            )
        _check_paths(paths, problems)
    elif len(row.text) > TEXT_MAX or not row.text.replace("\n", "").isprintable():
        _add(
            problems,
            f"The text of {shown} is longer than {TEXT_MAX} characters or has control characters.",
            f"O texto de {shown} passa de {TEXT_MAX} caracteres ou tem caracteres de controle.",
        )
    elif row.kind is RowKind.TEXT:
        _check_paths((place[1].strip() for place in PLACE.finditer(row.text)), problems)
    _check_steps(row.steps, shown, problems)
    is_value = row.kind is RowKind.VALUE
    return replace(
        row, name=name, paths=paths if is_value else (), text="" if is_value else row.text
    )


def _check_name(name: str, body: Body, problems: Problems) -> None:
    shown = name[:60] or "(vazio)"
    try:
        if len(name) > NAME_MAX or not name.isprintable():
            raise BadName(name)
        steps = parse_name(name)
    except BadName:
        _add(
            problems,
            f"{shown} is not a field's name: write it like TITLE, lead.title or "
            f"fields[PHONE][0][VALUE], with up to {NAME_MAX} characters.",
            f"{shown} não é um nome de campo: escreva como TITLE, lead.title ou "
            f"fields[PHONE][0][VALUE], com até {NAME_MAX} caracteres.",
        )
        return
    try:
        body.put(steps, None)
    except BadName:
        _add(
            problems,
            f"{shown} has no place beside the others: a name stands once, and a field with a "
            "value has no fields inside.",
            f"{shown} não cabe ao lado dos outros: um nome aparece uma vez só, e um campo com "
            "valor não tem campos dentro.",
        )


def _check_steps(steps: tuple[RowStep, ...], shown: str, problems: Problems) -> None:
    if len(steps) > STEPS_MAX:
        _add(
            problems,
            f"{shown} has {len(steps)} steps: keep at most {STEPS_MAX}.",
            f"{shown} tem {len(steps)} passos: deixe no máximo {STEPS_MAX}.",
        )
    for step in steps:
        if step.kind is not StepKind.TABLE:
            continue
        if not step.table or len(step.table) > TABLE_MAX:
            _add(
                problems,
                f"The table of {shown} has {len(step.table)} lines: give 1 to {TABLE_MAX}.",
                f"A tabela de {shown} tem {len(step.table)} linhas: use de 1 a {TABLE_MAX}.",
            )
            continue
        texts = [*step.table, *step.table.values(), step.default or ""]
        if any(len(each) > TABLE_TEXT_MAX or not each.isprintable() for each in texts):
            _add(
                problems,
                f"The table of {shown} has a text longer than {TABLE_TEXT_MAX} characters, or one "
                "with control characters.",
                f"A tabela de {shown} tem um texto com mais de {TABLE_TEXT_MAX} caracteres, ou com "
                "caracteres de controle.",
            )


def _check_less(given: Less, problems: Problems) -> Less:
    paths, masked = (
        tuple(dict.fromkeys(path.strip() for path in some if path.strip()))
        for some in (given.paths, given.masked)
    )
    if given.kept is Kept.ALL:
        paths = ()
    elif not paths:
        _add(
            problems,
            "Say which fields are sent, or left out: one path a line.",
            "Informe os campos que são enviados, ou que ficam de fora: um por linha.",
        )
    if len(paths) > LESS_MAX or len(masked) > LESS_MAX:
        _add(
            problems,
            f"Give at most {LESS_MAX} paths.",
            f"Informe no máximo {LESS_MAX} campos.",
        )
        return given
    _check_paths((*paths, *masked), problems)
    return Less(given.kept, paths, masked)


def _check_paths(paths: Iterable[str], problems: Problems) -> None:
    for path in paths:
        try:
            if len(path) > PATH_MAX or not path.isprintable():
                raise BadPath(path)
            parse_path(path)
        except BadPath:
            _add(
                problems,
                f"{path[:60]!r} is not a path: write it like call.status, tags[0] or "
                f'["a key.with a dot"], with up to {PATH_MAX} characters.',
                f"{path[:60]!r} não é um campo do evento: escreva como call.status, tags[0] ou "
                f'["chave com.ponto"], com até {PATH_MAX} caracteres.',
            )


def _add(problems: Problems, english: str, portuguese: str) -> None:
    problems.add("format", english, portuguese)
