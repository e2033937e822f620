"""A user with a second factor, who types its key and its recovery codes everywhere."""

from __future__ import annotations

from datetime import UTC, datetime

import pyotp

from tests.canaries.stage import PASSWORD, WRONG, Stage, filled
from tests.web.support.authenticator import PAGE, STEP, codes_on, key_on
from tests.web.support.served import Served
from webhookproxy.models.accounts.one_time_codes import in_fours

RITA = "rita@exemplo.com.br"


def second_factor(stage: Stage, ana: Served) -> None:
    """Turn it on, use and misuse it; each made secret is in one answer."""
    fields = filled(ana.fields("/usuarios/novo"))
    ana.send("/usuarios/novo", {**fields, "email": RITA, "password": PASSWORD}, 303)
    rita = stage.logged_in(RITA)
    rita.post(PAGE, 200, current=WRONG)
    rita.post(PAGE, 303, current=PASSWORD)
    key = key_on(rita.get(PAGE).text)
    code = pyotp.TOTP(key).at(datetime.now(UTC))
    codes = codes_on(rita.post(PAGE, 200, code=code).text)
    stage.made += [key, in_fours(key), *codes]
    for page in (PAGE, f"{PAGE}/codigos", f"{PAGE}/desligar", "/conta"):
        rita.get(page)
    rita.post(f"{PAGE}/desligar", 200, current=WRONG, recovery=codes[0])
    half = stage.browser()
    half.post("/entrar", 303, email=RITA, password=PASSWORD)
    for typed in ({"code": key}, {"code": codes[1]}, {"recovery": f"{codes[2]}x"}):
        half.post(STEP, 200, **typed)
    half.post(STEP, 303, recovery=codes[0])
    half.get("/")
    # After the end of the session, and without the form's token.
    visitor = stage.browser()
    visitor.send(f"{PAGE}/codigos", {"recovery": codes[3], "code": key, "current": PASSWORD}, 303)
    visitor.send(STEP, {"recovery": codes[4], "code": key}, 400)
