"""The guide as a page: all of it, and every link to a part of it leads there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask

from tests.web.support.browser import Browser
from webhookproxy.web.guide_text import contents_of, html_of

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs/uso/guia.md").read_text(encoding="utf-8")
TEMPLATES = ROOT / "webhookproxy/templates"


def test_the_whole_guide_is_a_page(beto: Browser) -> None:
    page = beto.get("/guia").text
    assert 'href="/guia"' in beto.get("/").text
    for anchor, words in contents_of(GUIDE):
        assert f'<h2 id="{anchor}">{words}</h2>' in page
        assert f'href="#{anchor}"' in page
    outside = re.sub(r"(?s)<pre.*?</pre>|<code>.*?</code>", "", str(html_of(GUIDE)))
    for left in ("**", "`", "](", "|--", "\n* ", "\n# "):
        assert left not in outside, left


def test_every_link_to_a_part_of_the_guide_leads_there() -> None:
    asked = {
        found
        for path in TEMPLATES.rglob("*.html")
        for found in re.findall(r"guide_link\(['\"]([a-z0-9-]+)", path.read_text(encoding="utf-8"))
    }
    assert len(asked) >= 4
    assert asked <= set(re.findall(r'id="([^"]+)"', str(html_of(GUIDE))))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a <b> & `<c>` **d `e`**", "<p>a &lt;b&gt; &amp; <code>&lt;c&gt;</code> <strong>d"),
        ("[x](javascript:alert)", "<p>x</p>"),
        ('[x](https://a.b/"c)', '<a href="https://a.b/&#34;c" rel="noreferrer">x</a>'),
        ("1. um\n   dois\n2. três", "<ol><li>um dois</li><li>três</li></ol>"),
        ("```\n**a** <b>\n```", '<pre class="code" tabindex="0">**a** &lt;b&gt;</pre>'),
    ],
)
def test_nothing_of_a_text_becomes_a_tag_of_its_own(text: str, html: str) -> None:
    assert html in str(html_of(text))


def test_an_installation_without_the_guide_has_no_link_to_it(app: Flask, beto: Browser) -> None:
    app.extensions["guide"] = ""
    assert 'href="/guia"' not in beto.get("/").text
    beto.get("/guia", 404)
