"""Every kind of page there is, and how one comes to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from bench.showcase.people import EMAIL, PASSWORD


def _submit(page: Page) -> None:
    page.locator("main form button:not([type=button])").last.click()


def _submit_emptied(page: Page) -> None:
    """Send the form with its first fields empty: every kind of complaint shows."""
    for field in page.locator("main form input[type=text], main form input[type=url]").all():
        if field.is_visible():
            field.fill("")
    _submit(page)


def _open_first(page: Page) -> None:
    page.locator(".rows .row-item a").first.click()


def _open_title(page: Page) -> None:
    page.locator(".rows .row-title").first.click()


def _unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")


def _open_and_unfold(page: Page) -> None:
    _open_first(page)
    page.wait_for_load_state()
    _unfold(page)


def _open_event(page: Page) -> None:
    page.get_by_role("link", name="ver o evento").first.click()
    page.wait_for_load_state()
    _unfold(page)


def _open_call(page: Page) -> None:
    page.locator(".rows .row-url a").first.click()


def _ask_to_cancel(page: Page) -> None:
    _open_first(page)
    page.get_by_role("link", name="Cancelar").click()


def _ask_to_resend(page: Page) -> None:
    for box in page.locator(".pick input").all()[:3]:
        box.check()
    page.get_by_role("button", name="Reenviar selecionadas").click()


def _send_no_address(page: Page) -> None:
    page.get_by_role("button", name="Adicionar").click()


def _generate_secret(page: Page) -> None:
    page.get_by_label("Gerar um segredo novo").check()
    _submit(page)


def _make_link(page: Page) -> None:
    page.get_by_label("Para quem").fill("gerente da loja")
    _submit(page)


def _make_token(page: Page) -> None:
    page.get_by_label("Para quê").fill("script do faturamento")
    _submit(page)


def _try_filter(page: Page) -> None:
    page.get_by_role("button", name="Testar com os últimos").click()


def _try_faulty_filter(page: Page) -> None:
    page.get_by_role("button", name="Adicionar linha").click()
    page.get_by_label("Campo").last.fill("call..status")
    _try_filter(page)


@dataclass(frozen=True, slots=True)
class Stop:
    """A page: its address, and what one does there before looking at it."""

    name: str
    path: str
    act: Callable[[Page], None] | None = None

    def go(self, page: Page, base: str) -> None:
        """Be there."""
        page.goto(base + self.path)
        if self.act is not None:
            self.act(page)
            page.wait_for_load_state()


_CONDITIONS = "/webhooks/webhook_1/filtros/condicoes"
NOBODY_YET = (
    Stop("primeiro acesso", "/primeiro-acesso"),
    Stop("primeiro acesso com erros", "/primeiro-acesso", _submit),
)
OUTSIDE = (
    Stop("entrar", "/entrar"),
    Stop("entrar com erro", "/entrar", _submit),
    Stop("convite", "/convidado/AAAAAAAAAAAAAAAAAAAAAA"),
    Stop("gravação", "/gravacao/AAAAAAAAAAAAAAAAAAAAAA"),
    Stop("gravação: link que acabou", "/gravacao/AAAAAAAAAAAAAAAAAAAAAA/audio"),
    Stop("avisos: link que acabou", "/avisos/confirmar/AAAAAAAAAAAAAAAAAAAAAA"),
    Stop("convite que acabou", "/convidado"),
    Stop("link de senha que acabou", "/senha/AAAAAAAAAAAAAAAAAAAAAA"),
)
INSIDE = (
    Stop("painel", "/"),
    Stop("empresas", "/empresas"),
    Stop("empresas: nada achado", "/empresas?busca=nenhuma"),
    Stop("empresa conectada", "/empresas/company_1"),
    Stop("empresa reconectando", "/empresas/company_3"),
    Stop("empresa com token recusado", "/empresas/company_4"),
    Stop("empresa muda", "/empresas/company_5"),
    Stop("empresa desconectada", "/empresas/company_6"),
    Stop("diagnóstico: nada de errado", "/empresas/company_2/diagnostico"),
    Stop("diagnóstico: muda", "/empresas/company_5/diagnostico"),
    Stop("recuperar ligações", "/empresas/company_1/recuperar"),
    Stop("comparar com a 3C Plus", "/empresas/company_1/comparar"),
    Stop("token novo", "/empresas/company_5/token-novo"),
    Stop("links de gravações", "/empresas/company_1/gravacoes"),
    Stop("segunda conexão", "/empresas/company_2"),
    Stop("receitas", "/empresas/company_1/receitas"),
    Stop("receita", "/empresas/company_1/receitas/google-sheets", _unfold),
    Stop("receita: erros", "/empresas/company_1/receitas/bitrix24", _submit),
    Stop("mês", "/empresas/company_1/mes"),
    Stop("mês: antes da empresa", "/empresas/company_1/mes?mes=2024-02"),
    Stop("diagnóstico: desconectada", "/empresas/company_6/diagnostico"),
    Stop("catálogo", "/empresas/company_1/catalogo"),
    Stop("catálogo: nada assim", "/empresas/company_1/catalogo?busca=nada-assim"),
    Stop("catálogo: um evento", "/empresas/company_1/catalogo?mostrar=chegaram", _open_title),
    Stop("empresa: formulário", "/empresas/company_1/editar"),
    Stop("empresa: erros", "/empresas/nova", _submit_emptied),
    Stop("empresa: excluir", "/empresas/company_1/excluir"),
    Stop("webhook em dia", "/webhooks/webhook_1", _unfold),
    Stop("webhook falhando", "/webhooks/webhook_2"),
    Stop("webhook: recusas", "/webhooks/webhook_4/recusas"),
    Stop("webhook: quedas", "/webhooks/webhook_4/quedas"),
    Stop("webhook pausado por 410", "/webhooks/webhook_3"),
    Stop("webhook simulado", "/webhooks/webhook_6"),
    Stop("webhook: formulário", "/webhooks/webhook_1/editar", _unfold),
    Stop("webhook: erros", "/empresas/company_1/webhooks/novo", _submit_emptied),
    Stop("webhook: segredo novo", "/webhooks/webhook_7/editar", _generate_secret),
    Stop("webhook: cópia", "/empresas/company_1/webhooks/novo?de=webhook_1"),
    Stop("webhook: evento marcado", "/webhooks/webhook_1/editar?evento=agent-is-idle"),
    Stop("convidados: nenhum", "/empresas/company_2/convidados"),
    Stop("convidados: link criado", "/empresas/company_1/convidados", _make_link),
    Stop("guia", "/guia"),
    Stop("webhook: retomar", "/webhooks/webhook_3/retomar"),
    Stop("webhook: excluir", "/webhooks/webhook_1/excluir"),
    Stop("filtros: qual evento", "/webhooks/webhook_1/filtros"),
    Stop("filtros: nome errado", f"{_CONDITIONS}?evento=dois+nomes"),
    Stop("filtro: nenhum ainda", f"{_CONDITIONS}?evento=call-was-connected", _unfold),
    Stop("filtro: sem eventos", f"{_CONDITIONS}?evento=nunca-visto", _try_filter),
    Stop("filtro: testado", f"{_CONDITIONS}?evento=call-history-was-created", _try_filter),
    Stop("filtro: erros", f"{_CONDITIONS}?evento=call-history-was-created", _try_faulty_filter),
    Stop("entregas", "/entregas"),
    Stop("tentativas que falharam", "/entregas/tentativas?webhook=webhook_2"),
    Stop("empresas com problema", "/empresas?estado=com-problema"),
    Stop("entregas: nenhuma assim", "/entregas?evento=nenhum-assim"),
    Stop("entrega recusada", "/entregas?webhook=webhook_4&estado=recusada", _open_and_unfold),
    Stop("entrega esperando", "/entregas?webhook=webhook_5&estado=aguardando", _open_and_unfold),
    Stop("entrega entregue", "/entregas?webhook=webhook_4&estado=entregue", _open_first),
    Stop("entrega simulada", "/entregas?webhook=webhook_6", _open_first),
    Stop("entrega: cancelar", "/entregas?webhook=webhook_2&estado=aguardando", _ask_to_cancel),
    Stop("eventos", "/eventos", _unfold),
    Stop("eventos: busca", "/eventos?empresa=company_1&busca=call", _unfold),
    Stop("eventos: nada achado", "/eventos?busca=nada-assim&periodo=24h"),
    Stop("evento recusado", "/entregas?webhook=webhook_4&estado=recusada", _open_event),
    Stop("evento esperando", "/entregas?webhook=webhook_3&estado=aguardando", _open_event),
    Stop("evento que ninguém pediu", "/eventos?empresa=company_3", _open_first),
    Stop("ligação", "/eventos?empresa=company_1&evento=call-was-not-answered", _open_call),
    Stop("ligações de um telefone", "/ligacoes?telefone=call-was"),
    Stop("ligações de um telefone: nenhuma", "/ligacoes?telefone=123"),
    Stop("ligação: nenhuma", "/empresas/company_1/ligacao"),
    Stop("reenvio: confirmação", "/webhooks/webhook_4/reenviar?desde=tudo&situacao=recusada"),
    Stop("reenvio: nada combina", "/webhooks/webhook_1/reenviar?desde=1h&situacao=expirada"),
    Stop("reenvio: hora errada", "/webhooks/webhook_1/reenviar?desde=outro&hora=x"),
    Stop("reenvio: webhook pausado", "/webhooks/webhook_3/reenviar?desde=tudo&situacao=recusada"),
    Stop("enviar o que já chegou", "/webhooks/webhook_1/enviar?desde=tudo"),
    Stop("reenvio andando", "/reenvios/resend_1"),
    Stop("reenvio terminado", "/reenvios/resend_2"),
    Stop("reenvio: cancelar", "/reenvios/resend_1/cancelar"),
    Stop("seleção: nenhuma", "/entregas/reenviar"),
    Stop("seleção: confirmação", "/entregas?estado=falhou", _ask_to_resend),
    Stop("usuários", "/usuarios"),
    Stop("usuário: formulário", "/usuarios/user_2"),
    Stop("usuário: erros", "/usuarios/novo", _submit_emptied),
    Stop("usuário: excluir", "/usuarios/user_2/excluir"),
    Stop("usuário: link de senha", "/usuarios/user_2/link-de-senha", _submit),
    Stop("usuário: sem segundo fator", "/usuarios/user_2/segundo-fator"),
    Stop("avisos", "/avisos", _unfold),
    Stop("avisos: erros", "/avisos", _send_no_address),
    Stop("avisos: o que", "/avisos/acompanhar"),
    Stop("avisos: o que de uma empresa", "/avisos/acompanhar/company_1"),
    Stop("avisos do servidor", "/avisos/servidor"),
    Stop("avisos de uma empresa", "/empresas/company_1/avisos"),
    Stop("avisos de uma empresa: nenhum", "/empresas/company_6/avisos"),
    Stop("conta", "/conta"),
    Stop("conta com erros", "/conta", _submit),
    Stop("tokens: erros", "/conta/tokens", _submit),
    Stop("tokens: criado", "/conta/tokens", _make_token),
    Stop("tokens: revogar", "/conta/tokens/token_1/revogar"),
    Stop("API", "/api", _unfold),
    Stop("nada aqui", "/empresas/company_99"),
)


def log_in(page: Page, base: str, email: str = EMAIL) -> None:
    """Log in to the showcase."""
    page.goto(f"{base}/entrar")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Senha").fill(PASSWORD)
    page.get_by_role("button", name="Entrar").click()
    page.wait_for_url(f"{base}/")
