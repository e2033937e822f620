from __future__ import annotations

import pytest

from webhookproxy.network.guard import Policy
from webhookproxy.rules import Refused
from webhookproxy.rules.alerts import check_address

SLACK = "https://hooks.slack.com"
BOT = "123456789:AAAAbbbbCCCCddddEEEEffffGGGGhhhh-_1"


@pytest.mark.parametrize(
    ("kind", "typed", "target", "label"),
    [
        ("email", " Joao@Exemplo.com.br ", "Joao@exemplo.com.br", "Jo…@exemplo.com.br"),
        ("email", "ab@exemplo.com.br", "ab@exemplo.com.br", "a…@exemplo.com.br"),
        ("email", "ana@ação.com.br", "ana@xn--ao-siap.com.br", "a…@xn--ao-siap.com.br"),
        ("telegram", f"{BOT}  -100123", f"{BOT} -100123", "bot 123456789, …123"),
        ("telegram", f"{BOT} @avisos", f"{BOT} @avisos", "bot 123456789, …sos"),
        ("slack", f"{SLACK}/services/T/B/x", f"{SLACK}/services/T/B/x", "hooks.slack.com"),
        ("ntfy", "minha_empresa-1", "minha_empresa-1", "mi…"),
        ("ntfy", " avisos  tk_Ab12 ", "avisos tk_Ab12", "av…"),
        ("webhook", "https://N8N.example/w/1?k=2", "https://n8n.example/w/1?k=2", "n8n.example"),
    ],
)
def test_an_address_is_stored_whole_and_shown_in_part(
    kind: str, typed: str, target: str, label: str
) -> None:
    checked = check_address(kind, typed, Policy(), SLACK)
    assert (checked.kind, checked.target) == (kind, target)
    assert checked.label == label


@pytest.mark.parametrize(
    ("kind", "typed", "words"),
    [
        ("email", "", "e-mail"),
        ("email", "ana", "e-mail"),
        ("email", "ana@localhost", "e-mail"),
        ("email", "ana@exemplo.com.br\r\nBcc: x@y.example", "e-mail"),
        ("email", "ana@exemplo.com.br, beto@exemplo.com.br", "e-mail"),
        ("email", "Ana <ana@exemplo.com.br>", "e-mail"),
        ("email", '"a b"@exemplo.com.br', "e-mail"),
        ("email", f"{'a' * 65}@exemplo.com.br", "e-mail"),
        ("email", "joão@exemplo.com.br", "e-mail"),
        ("email", "ana@\ud800.com.br", "e-mail"),
        ("telegram", BOT, "chat"),
        ("telegram", f"{BOT} ana", "chat"),
        ("telegram", f"{BOT} 1\r\n2", "chat"),
        ("telegram", "123:abc 5", "BotFather"),
        ("telegram", f"{BOT}/../x 5", "BotFather"),
        ("slack", "https://hooks.slack.com.example/services/T/B/x", SLACK),
        ("slack", "https://hooks.slack.com:444/services/T/B/x", "porta"),
        ("slack", "https://hooks.slack.com:4443/services/T/B/x", SLACK),
        ("slack", "https://example.com/hooks.slack.com", SLACK),
        ("slack", "http://hooks.slack.com/services/T/B/x", "https"),
        ("slack", "https://x@hooks.slack.com/services/T/B/x", "usuário"),
        ("slack", SLACK, "incompleta"),
        ("ntfy", "a b", "tk_"),
        ("ntfy", "a tk_á", "tk_"),
        ("ntfy", "a tk_b\r\nX: y", "tk_"),
        ("ntfy", "../x", "tópico"),
        ("ntfy", "a" * 65, "tópico"),
        ("webhook", "https://169.254.169.254/", "interna"),
        ("webhook", "https://localhost/", "próprio servidor"),
        ("webhook", "ftp://example.com/", "https"),
        ("pigeon", "x", "Escolha"),
    ],
)
def test_what_is_no_address_is_refused_with_a_sentence(kind: str, typed: str, words: str) -> None:
    with pytest.raises(Refused) as caught:
        check_address(kind, typed, Policy(), SLACK)
    (problem,) = caught.value.problems
    assert words in problem.portuguese
    assert problem.portuguese.endswith(".")
    assert problem.english.endswith(".") or "allows it" in problem.english
