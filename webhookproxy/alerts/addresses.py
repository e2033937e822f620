"""The addresses of a user: added, confirmed by a link, tried by a test, removed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from webhookproxy.config.address import linked_address
from webhookproxy.config.keys import KeyringError
from webhookproxy.database.clock import utc_now
from webhookproxy.models import AlertAddress, AlertMessage
from webhookproxy.models.accounts.link_tokens import hash_of, new_token
from webhookproxy.models.alerts.messages import MessageKind
from webhookproxy.models.types import day_number
from webhookproxy.network.guard import Policy
from webhookproxy.rules import Refused
from webhookproxy.rules.alerts import ADDRESSES_MAX, AddressKind, check_address

# The page with the button; the token follows. The log hides what follows this path.
CONFIRM_PATH = "/avisos/confirmar/"
CONFIRM_FOR = timedelta(days=3)
# Messages of a day to one address that is not confirmed: its owner may be a stranger.
UNCONFIRMED_MAX = 3
# Messages of 24 hours that a user asks for: tests, and confirmations of whatever address.
ASKED_MAX = 40
_ASKED = (MessageKind.CONFIRMATION, MessageKind.TEST)


def addresses_of(session: Session, user_id: int) -> Sequence[AlertAddress]:
    """Return a user's addresses, in the order in which they are tried."""
    query = select(AlertAddress).where(AlertAddress.user_id == user_id)
    return session.scalars(query.order_by(AlertAddress.position, AlertAddress.id)).all()


def confirmed_addresses(session: Session, user_id: int) -> list[tuple[int, str]]:
    """Return the number and kind of each address that alerts go to, in the order of the tries."""
    query = select(AlertAddress.id, AlertAddress.kind).where(
        AlertAddress.user_id == user_id, AlertAddress.confirmed_at.is_not(None)
    )
    ordered = query.order_by(AlertAddress.position, AlertAddress.id)
    return [(each.id, each.kind) for each in session.execute(ordered)]


def opened_address(session: Session, address_id: int) -> tuple[str, str | None] | None:
    """Return the target and the secret of an address; None if it is gone or no key opens them."""
    query = select(AlertAddress.target, AlertAddress.secret).where(AlertAddress.id == address_id)
    try:
        row = session.execute(query).one_or_none()
    except KeyringError:
        return None
    return None if row is None else (row.target, row.secret)


def find_address(session: Session, user_id: int, address_id: int) -> AlertAddress:
    """Return a user's address; raise Refused if the user has none with this number."""
    address = session.get(AlertAddress, address_id)
    if address is None or address.user_id != user_id:
        raise Refused.one(
            "", f"There is no address {address_id} of this user.", "Este endereço não existe mais."
        )
    return address


def add_address(
    session: Session,
    user_id: int,
    kind: str,
    typed: str,
    config: Mapping[str, Any],
    policy: Policy,
) -> AlertAddress:
    """Add an address behind the user's others, and send the link that confirms it.

    `typed` is what webhookproxy.rules.alerts reads. The address of our own POST gets a new secret.
    Raises Refused for what is no address, one that the user has already, and beyond ADDRESSES_MAX.
    """
    checked = check_address(kind, typed, policy, config["SLACK_URL"])
    if checked.kind is AddressKind.EMAIL and config["SMTP_URL"] is None:
        raise Refused.one(
            "kind",
            "This server sends no e-mail: set SMTP_URL and SMTP_FROM.",
            "Este servidor ainda não envia e-mails: peça a quem o administra que configure "
            "SMTP_URL e SMTP_FROM, ou escolha outro canal.",
        )
    known = addresses_of(session, user_id)
    if len(known) >= ADDRESSES_MAX:
        raise Refused.one(
            "target",
            f"A user has at most {ADDRESSES_MAX} addresses: remove one first.",
            f"Você já tem {ADDRESSES_MAX} endereços: remova um antes.",
        )
    if any((each.kind, each.target) == (checked.kind, checked.target) for each in known):
        raise Refused.one(
            "target", "This address is there already.", "Este endereço já está na sua lista."
        )
    address = AlertAddress(
        user_id=user_id,
        kind=checked.kind.value,
        target=checked.target,
        secret=secrets.token_urlsafe(32) if checked.kind is AddressKind.WEBHOOK else None,
        label=checked.label,
        position=max((each.position for each in known), default=0) + 1,
        created_at=utc_now(),
        messages_unconfirmed=0,
    )
    session.add(address)
    session.flush()
    send_confirmation(session, address, config)
    return address


def remove_address(session: Session, address: AlertAddress) -> None:
    """Remove an address; nothing more is sent to it.

    What was asked for is still counted, without its text: adding an address again and again must
    not send its owner more.
    """
    asked = update(AlertMessage).where(AlertMessage.address_id == address.id)
    waiting = AlertMessage.sent_at.is_(None), AlertMessage.given_up_at.is_(None)
    session.execute(asked.where(*waiting).values(given_up_at=utc_now()))
    session.execute(asked.values(address_id=None, body=None, link=None))
    session.delete(address)
    session.flush()


def move_first(session: Session, address: AlertAddress) -> None:
    """Have an address be tried before the user's others."""
    others = [each for each in addresses_of(session, address.user_id) if each is not address]
    for position, each in enumerate([address, *others], 1):
        each.position = position


def send_confirmation(
    session: Session, address: AlertAddress, config: Mapping[str, Any]
) -> AlertMessage:
    """Send a new link that confirms the address; an older one opens nothing any more.

    Raises Refused if the address is confirmed, after UNCONFIRMED_MAX messages of today, and where
    the settings do not tell the address of the pages.
    """
    if address.confirmed_at is not None:
        raise Refused.one("", "The address is confirmed.", "Este endereço já está confirmado.")
    base = linked_address(config)
    if base is None:
        raise Refused.one(
            "",
            "No link can be made, because the address of the pages is not known: set PUBLIC_URL.",
            "Não há como montar o link de confirmação: peça a quem administra este servidor que "
            "configure PUBLIC_URL.",
        )
    _count_unconfirmed(address)
    token = new_token()
    address.confirm_hash = hash_of(token)
    address.confirm_until = utc_now() + CONFIRM_FOR
    return _ask_for(
        session,
        address,
        MessageKind.CONFIRMATION,
        "Confirme que quer receber avisos aqui",
        "Alguém pediu que os avisos do webhookproxy (conexões e webhooks com problema) cheguem "
        "aqui.\nPara confirmar, abra o link e aperte o botão. O link vale por 3 dias.\nSe não foi "
        "você, não faça nada: nenhum aviso será enviado.",
        f"{base}{CONFIRM_PATH}{token}",
    )


def send_test(session: Session, address: AlertAddress, config: Mapping[str, Any]) -> AlertMessage:
    """Send a test to a confirmed address; raise Refused for another, and beyond ASKED_MAX."""
    if address.confirmed_at is None:
        raise Refused.one(
            "",
            "The address is not confirmed: open the link that was sent to it first.",
            "Confirme o endereço antes: abra o link que foi enviado a ele.",
        )
    return _ask_for(
        session,
        address,
        MessageKind.TEST,
        "Aviso de teste",
        "Este é um aviso de teste: os avisos do webhookproxy chegam aqui.",
        linked_address(config),
    )


def awaiting_confirmation(session: Session, token: str) -> AlertAddress | None:
    """Return the address that a link confirms; None if the link opens nothing any more."""
    query = select(AlertAddress).where(
        # The database compares hashes of 128 random bits: how long that takes says nothing.
        AlertAddress.confirm_hash == hash_of(token),
        AlertAddress.confirm_until > utc_now(),
        AlertAddress.confirmed_at.is_(None),
    )
    return session.scalar(query)


def confirm(session: Session, token: str) -> AlertAddress | None:
    """Confirm the address of a link, which opens nothing afterwards; None if it did not before."""
    address = awaiting_confirmation(session, token)
    if address is not None:
        address.confirmed_at = utc_now()
        address.confirm_hash = address.confirm_until = address.last_error = None
    return address


def _count_unconfirmed(address: AlertAddress) -> None:
    today = day_number(utc_now().date())
    if address.unconfirmed_day != today:
        address.unconfirmed_day, address.messages_unconfirmed = today, 0
    if address.messages_unconfirmed >= UNCONFIRMED_MAX:
        raise Refused.one(
            "",
            f"This address got {UNCONFIRMED_MAX} messages today: it can get another tomorrow.",
            f"Este endereço já recebeu {UNCONFIRMED_MAX} mensagens hoje: amanhã dá para enviar "
            "outra.",
        )
    address.messages_unconfirmed += 1


def _ask_for(
    session: Session,
    address: AlertAddress,
    kind: MessageKind,
    subject: str,
    body: str,
    link: str | None,
) -> AlertMessage:
    """Put a message to one address into the outbox."""
    now = utc_now()
    asked = select(func.count()).where(
        AlertMessage.user_id == address.user_id,
        AlertMessage.created_at > now - timedelta(days=1),
        AlertMessage.kind.in_([each.value for each in _ASKED]),
    )
    if (session.scalar(asked) or 0) >= ASKED_MAX:
        raise Refused.one(
            "",
            f"{ASKED_MAX} tests and confirmations were sent within a day: wait until tomorrow.",
            f"Foram enviados {ASKED_MAX} testes e confirmações em um dia: espere até amanhã.",
        )
    message = AlertMessage(
        message_id=f"msg_{secrets.token_hex(16)}",
        user_id=address.user_id,
        address_id=address.id,
        kind=kind.value,
        subject=subject,
        body=body,
        link=link,
        created_at=now,
        due_at=now,
        attempts=0,
    )
    session.add(message)
    session.flush()
    return message
