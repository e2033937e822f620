"""Secrets that a file only names: they are read where a command runs, and nowhere else.

The rule of what may be named keeps a file that someone else wrote from sending any secret of this
machine to a receiver of theirs.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from webhookproxy.rules import Refused

Resolve = Callable[[str], str]

PREFIX = "WEBHOOKPROXY_SECRET_"
SECRET_BYTES = 16_384
_VARIABLE = re.compile(rf"{PREFIX}[A-Z0-9_]{{1,200}}")


def resolver(variables: Mapping[str, str], folder: Path | None) -> Resolve:
    """Return a function that returns the text that is meant: a literal stays as it is.

    `env:NAME` is one of the variables, `file:NAME` a file in the folder, without its last line
    break. Raises Refused, which names no secret.
    """

    def resolve(text: str) -> str:
        kind, _, name = text.partition(":")
        if kind == "env":
            found = _variable(name, variables)
        elif kind == "file":
            found = _file(name, folder)
        else:
            return text
        if not found:
            raise _refused(f"{text[:100]} is empty.", f"{text[:100]} está vazio.")
        return found

    return resolve


def _variable(name: str, variables: Mapping[str, str]) -> str:
    if _VARIABLE.fullmatch(name) is None:
        raise _refused(
            f"A variable with a secret has a name that begins with {PREFIX}, in capital letters, "
            "digits and underscores.",
            f"Uma variável com um segredo tem nome que começa com {PREFIX}, em maiúsculas, dígitos "
            "e sublinhados.",
        )
    if name not in variables:
        raise _refused(
            f"The variable {name} is not set here: set it, or write `stored` to keep what the "
            "database has.",
            f"A variável {name} não está definida aqui: defina-a, ou escreva `stored` para manter "
            "o que está no banco.",
        )
    return variables[name]


def _file(name: str, folder: Path | None) -> str:
    if folder is None:
        raise _refused(
            "A secret in a file needs --secrets, which names the folder of these files.",
            "Um segredo em arquivo precisa de --secrets, que diz a pasta desses arquivos.",
        )
    try:
        # A link may lead to another file of the folder, as those of Kubernetes do.
        inside = folder.resolve(strict=True)
        path = (inside / name).resolve(strict=True)
        if not path.is_relative_to(inside):
            raise _refused(
                f"file:{name[:100]} is not inside the folder of --secrets.",
                f"file:{name[:100]} não fica dentro da pasta de --secrets.",
            )
        return _content(path)
    except (OSError, ValueError, RuntimeError):
        raise _refused(
            f"file:{name[:100]} is no text file of the folder of --secrets that can be read, of "
            f"at most {SECRET_BYTES:,} bytes.",
            f"file:{name[:100]} não é um arquivo de texto da pasta de --secrets que se possa ler, "
            "de até 16.384 bytes.",
        ) from None


def _content(path: Path) -> str:
    """Return the text of a file; raise OSError or ValueError if it is no plain, short text."""
    # A pipe must not be waited for, and what is a link by now leads elsewhere.
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise ValueError("not a file")
        content = file.read(SECRET_BYTES + 1)
    if len(content) > SECRET_BYTES:
        raise ValueError("too long")
    return content.decode().removesuffix("\n").removesuffix("\r")


def _refused(english: str, portuguese: str) -> Refused:
    return Refused.one("", english, portuguese)
