"""A client that checks every page it is given, as a careful visitor would."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.web.support.markup import Attributes, tags
from tests.web.support.session import form_token

# English words of WTForms, which must be translated.
_ENGLISH = ("This field", "Not a valid", "Invalid input", "Field must", "CSRF token")
_VOID = ("hidden", "submit", "button")


class Page:
    """The checks of a page that need no drawing."""

    def __init__(self, text: str) -> None:
        self.problems: list[str] = []
        self.headings = 0
        self.title = ""
        self.language = ""
        self._labels: set[str] = set()
        self._inputs: list[Attributes] = []
        self._depth_of_labels = 0
        self._form: Attributes | None = None
        self._form_has_token = False
        for tag, given, after in tags(text):
            if tag.startswith("/"):
                self._end(tag[1:])
            else:
                self._begin(tag, given, after)
        self._conclude()

    def _begin(self, tag: str, given: Attributes, after: str) -> None:
        if tag == "html":
            self.language = given.get("lang") or ""
        self.headings += tag == "h1"
        if tag == "title":
            self.title += after
        if tag == "label":
            self._depth_of_labels += 1
            self._labels.add(given.get("for") or "")
        self._check_form(tag, given)
        self._check_policy(tag, given)

    def _end(self, tag: str) -> None:
        if tag == "label":
            self._depth_of_labels -= 1
        if tag == "form" and self._form is not None:
            if self._form.get("method") == "post" and not self._form_has_token:
                self.problems.append(f"a form without a token: {self._form}")
            self._form = None

    def _check_form(self, tag: str, given: Attributes) -> None:
        if tag == "form":
            self._form, self._form_has_token = given, False
        if tag in ("input", "select", "textarea"):
            self._form_has_token |= given.get("name") == "csrf_token"
            labelled = self._depth_of_labels or given.get("aria-label")
            if given.get("type") not in _VOID and not labelled:
                self._inputs.append(given)
            # Password managers ignore "off", and fill in the user's own password.
            if given.get("type") == "password" and given.get("autocomplete") in (None, "off"):
                self.problems.append(f"a password manager may fill {given.get('name')}")

    def _check_policy(self, tag: str, given: Attributes) -> None:
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.problems.append(f"an inline {tag}")
        for name, value in given.items():
            if name.startswith("on") or name == "style":
                self.problems.append(f"an inline {name} on {tag}")
            outside = re.match(r"(https?:)?//", value or "")
            if name in ("src", "action") and outside:
                self.problems.append(f"{tag} {name} leads to another host: {value}")
            if tag == "link" and name == "href" and outside:
                self.problems.append(f"a link to another host: {value}")

    def _conclude(self) -> None:
        if self.language != "pt-BR":
            self.problems.append("the page is not marked as pt-BR")
        if self.headings != 1:
            self.problems.append(f"{self.headings} h1")
        if not self.title.removesuffix(" · webhookproxy").strip():
            self.problems.append("no title")
        self.problems += [
            f"no label for {given}" for given in self._inputs if given.get("id") not in self._labels
        ]


class Browser:
    """Flask's client with a cookie jar; `get` and `post` check each page that comes back."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client = app.test_client()

    def get(self, path: str, status: int = 200, **given: Any) -> TestResponse:
        """A page, which must have this status."""
        answer = self.client.get(path, **given)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
        return self._checked(path, answer)

    def post(self, path: str, status: int | None = 303, **fields: Any) -> TestResponse:
        """Send a form with the token of this session; None allows every status."""
        return self.send(path, {"csrf_token": self.token(), **fields}, status)

    def send(self, path: str, fields: dict[str, Any], status: int | None) -> TestResponse:
        """Send exactly these fields, as a browser would from a page of ours."""
        headers = {"Sec-Fetch-Site": "same-origin"}
        answer = self.client.post(path, data=fields, headers=headers)
        if status is not None:
            assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
        return self._checked(path, answer)

    def token(self) -> str:
        """The token that a form of this session would carry."""
        return form_token(self.client)

    def fields(self, path: str) -> dict[str, Any]:
        """What the form on a page would send as it stands."""
        return form_fields(self.get(path).text)

    def _checked(self, path: str, answer: TestResponse) -> TestResponse:
        if answer.mimetype == "text/html" and answer.status_code not in (301, 302, 303, 308):
            page = Page(answer.text)
            assert not page.problems, (path, page.problems)
            assert not [words for words in _ENGLISH if words in answer.text], path
        return answer


def form_fields(text: str) -> dict[str, Any]:
    """The fields of a page's main form, which is its last."""
    found: dict[str, Any] = {}
    select = ""
    for tag, given, after in tags(text[text.index("<main") :]):
        name = given.get("name") or ""
        if tag == "select":
            select = name
        elif tag == "option" and ("selected" in given or select not in found):
            found[select] = given.get("value") or ""
        elif tag == "textarea":
            # The first line break after the tag is no part of the value.
            found[name] = after.removeprefix("\n").removeprefix("\r\n")
        elif tag == "input" and name and given.get("type") not in ("checkbox", "radio"):
            found[name] = given.get("value") or ""
        elif tag == "input" and name and "checked" in given:
            found.setdefault(name, []).append(given.get("value") or "y")
    return found


def planted_session(app: Flask) -> tuple[Browser, Browser]:
    """Return the browser that planted its cookie, and the victim who has it now."""
    planted, victim = Browser(app), Browser(app)
    planted.get("/entrar")
    cookie = planted.client.get_cookie("session")
    assert cookie is not None
    victim.client.set_cookie("session", cookie.value)
    return planted, victim
