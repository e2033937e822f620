"""The guide's Markdown as HTML: only the forms that docs/uso/guia.md uses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

_HEADING = re.compile(r"(#{1,4}) (.*)")
_ITEM = re.compile(r"(\*|\d+\.) +(.*)")
_PART = re.compile(r"(\d+)\. ")
_RULE = re.compile(r"\|[-| :]+\|")
# After the escaping: code first, so that nothing inside it is read as something else.
_INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<bold>.+?)\*\*|\[(?P<words>[^\]]+)\]\((?P<target>[^)\s]+)\)"
)


def html_of(text: str) -> Markup:
    """Return the HTML of a Markdown text, without its first heading."""
    lines = text.splitlines()
    parts = [part for part in _blocks(lines) if not part.startswith("<h1")]
    return Markup("\n").join(parts)


def contents_of(text: str) -> list[tuple[str, str]]:
    """Return the anchor and the words of each heading of the second level."""
    found = (_HEADING.fullmatch(line) for line in text.splitlines())
    return [(anchor(match[2]), match[2]) for match in found if match and match[1] == "##"]


def anchor(heading: str) -> str:
    """Return the anchor of a heading: "parte-2" of "2. Webhooks", "trocar-o-segredo"."""
    part = _PART.match(heading)
    if part:
        return f"parte-{part[1]}"
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _blocks(lines: Sequence[str]) -> Iterator[Markup]:
    at = 0
    while at < len(lines):
        line = lines[at]
        heading = _HEADING.fullmatch(line)
        if not line.strip():
            at += 1
        elif heading:
            level = len(heading[1])
            yield Markup('<h{0} id="{1}">{2}</h{0}>').format(
                level, anchor(heading[2]), _inline(heading[2])
            )
            at += 1
        elif line.startswith("```"):
            end = next(n for n in range(at + 1, len(lines)) if lines[n].startswith("```"))
            code = "\n".join(lines[at + 1 : end])
            yield Markup('<pre class="code" tabindex="0">{}</pre>').format(code)
            at = end + 1
        else:
            end = _end_of_block(lines, at)
            yield _block(lines[at:end])
            at = end


def _end_of_block(lines: Sequence[str], at: int) -> int:
    for end in range(at + 1, len(lines)):
        if not lines[end].strip() or lines[end].startswith(("#", "```")):
            return end
    return len(lines)


def _block(lines: Sequence[str]) -> Markup:
    if lines[0].startswith("|"):
        return _table([line for line in lines if not _RULE.fullmatch(line.strip())])
    if _ITEM.match(lines[0]):
        return _list(lines)
    return Markup("<p>{}</p>").format(_inline(" ".join(line.strip() for line in lines)))


def _table(lines: Sequence[str]) -> Markup:
    head, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
    heads = Markup().join(Markup('<th scope="col">{}</th>').format(_inline(each)) for each in head)
    body = Markup().join(
        Markup("<tr>{}</tr>").format(
            Markup().join(Markup("<td>{}</td>").format(_inline(each)) for each in row)
        )
        for row in rows
    )
    return Markup(
        '<div class="card guide-table" tabindex="0"><table class="table"><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>"
    ).format(heads, body)


def _list(lines: Sequence[str]) -> Markup:
    items: list[str] = []
    for line in lines:
        item = _ITEM.match(line)
        if item:
            items.append(item[2])
        else:
            items[-1] += f" {line.strip()}"
    inside = Markup().join(Markup("<li>{}</li>").format(_inline(each)) for each in items)
    is_plain = lines[0].startswith("*")
    return (Markup("<ul>{}</ul>") if is_plain else Markup("<ol>{}</ol>")).format(inside)


def _inline(text: str) -> Markup:
    found, at = Markup(), 0
    for match in _INLINE.finditer(text):
        found += escape(text[at : match.start()]) + _piece(match)
        at = match.end()
    return found + escape(text[at:])


def _piece(match: re.Match[str]) -> Markup:
    if match["code"] is not None:
        return Markup("<code>{}</code>").format(match["code"])
    if match["bold"] is not None:
        return Markup("<strong>{}</strong>").format(_inline(match["bold"]))
    if match["target"].startswith("https://"):
        return Markup('<a href="{}" rel="noreferrer">{}</a>').format(
            match["target"], _inline(match["words"])
        )
    # A file beside the guide, which only the repository has.
    return _inline(match["words"])
