"""A recovery of calls in words: beside its gap, in the list of requests, and in alerts."""

from __future__ import annotations

from webhookproxy.models.recovery.recoveries import Recovery, RecoveryState
from webhookproxy.reasons import PLATFORM_WORDS, PlatformTrouble
from webhookproxy.reasons.words import plural

# What 3C Plus has no record of.
NOT_BACK = "eventos de agente e de fila não voltam"


def recovery_words(recovery: Recovery | None) -> str:
    """Return how many calls came back, in one sentence; empty if no one asked for them."""
    if recovery is None:
        return ""
    return _words(recovery) + _trouble(recovery)


def sweep_words(sweep: Recovery | None) -> str:
    """Return what the last sweep found, as the end of a sentence."""
    if sweep is None:
        return "a primeira começa em até um minuto, com a empresa conectada."
    listed = f"de {plural(sweep.listed, 'ligação', 'ligações')} na 3C Plus"
    if sweep.state == RecoveryState.FINISHED and not sweep.recovered:
        return f"nenhuma ligação faltava aqui, {listed}."
    if sweep.state == RecoveryState.FINISHED:
        return f"{_recovered(sweep)}, {listed}."
    if sweep.state == RecoveryState.STOPPED:
        # Unlike other requests it is followed by another one.
        return f"{_recovered(sweep)}.{_trouble(sweep)} A próxima varredura pergunta de novo."
    return recovery_words(sweep)


def _trouble(recovery: Recovery) -> str:
    """Return what went wrong when 3C Plus was last asked, as a sentence that follows another."""
    if recovery.trouble is None:
        return ""
    return f" {PLATFORM_WORDS[PlatformTrouble(recovery.trouble)].what}"


def _recovered(recovery: Recovery) -> str:
    return plural(recovery.recovered, "ligação recuperada", "ligações recuperadas")


def _words(recovery: Recovery) -> str:
    so_far = _recovered(recovery)
    if recovery.state == RecoveryState.COUNTING:
        return "Contando as ligações que faltam aqui…"
    if recovery.state == RecoveryState.COUNTED:
        missing = plural(recovery.missing, "ligação falta aqui", "ligações faltam aqui")
        listed = plural(recovery.listed, "ligação", "ligações")
        return f"{missing}, de {listed} na 3C Plus."
    if recovery.state == RecoveryState.RUNNING and not recovery.look and not recovery.recovered:
        return "Buscamos as ligações na 3C Plus 2, 5 e 15 minutos depois da lacuna."
    if recovery.state == RecoveryState.RUNNING and (recovery.asked_by or recovery.sweep):
        return f"{so_far} até agora; ainda estamos buscando as outras."
    if recovery.state == RecoveryState.RUNNING:
        return f"{so_far} até agora; perguntamos de novo à 3C Plus em alguns minutos."
    if recovery.state == RecoveryState.STOPPED:
        return f"{so_far}, e paramos de perguntar."
    if not recovery.recovered:
        return f"Nenhuma ligação faltou; {NOT_BACK}."
    return f"{so_far}; {NOT_BACK}."
