"""The codes of 3C Plus in words: "5" at `call.status` means "não atendida".

A code comes as a number or as its text: 5 and "5" mean the same. The causes of a hang-up are those
of the telephone networks (ITU-T Q.850).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CALL_STATUS: Mapping[str, str] = MappingProxyType(
    {
        "1": "discando",
        "2": "atendida",
        "3": "conectada",
        "4": "encerrada",
        "5": "não atendida",
        "6": "abandonada",
        "7": "finalizada",
        "8": "falha",
        "9": "caixa postal",
        "10": "consulta em espera",
        "11": "consulta conectada",
        "12": "consulta",
        "13": "transferência",
        "14": "fora de horário",
        "15": "caixa postal (pré)",
    }
)
AGENT_STATUS: Mapping[str, str] = MappingProxyType(
    {
        "0": "offline",
        "1": "ocioso",
        "2": "em chamada",
        "3": "TPA (pós-atendimento)",
        "4": "chamada manual",
        "5": "manual conectada",
        "6": "intervalo",
        "21": "manual em TPA",
        "22": "manual em TPA conectada",
    }
)
BEHAVIOUR: Mapping[str, str] = MappingProxyType(
    {
        "1": "não discar mais para este telefone",
        "2": "não discar mais para este cliente",
        "3": "repetir",
    }
)
HANGUP_CAUSE: Mapping[str, str] = MappingProxyType(
    {
        "0": "sem causa informada",
        "1": "número não existe",
        "3": "sem rota até o número",
        "16": "desligamento normal",
        "17": "ocupado",
        "18": "sem resposta do aparelho",
        "19": "tocou e ninguém atendeu",
        "20": "aparelho desligado ou fora de área",
        "21": "chamada recusada",
        "22": "o número mudou",
        "26": "atendida em outro aparelho",
        "27": "aparelho com defeito",
        "28": "número em formato inválido",
        "29": "serviço recusado",
        "31": "desligamento normal, sem outra causa",
        "34": "sem linha livre",
        "38": "rede fora do ar",
        "41": "falha temporária",
        "42": "rede congestionada",
        "44": "linha pedida não está livre",
        "50": "serviço não contratado",
        "52": "chamadas de saída bloqueadas",
        "54": "chamadas de entrada bloqueadas",
        "57": "chamada não autorizada",
        "58": "serviço não está disponível agora",
        "88": "destino incompatível",
        "102": "a rede não respondeu a tempo",
        "127": "causa desconhecida",
    }
)
MODE: Mapping[str, str] = MappingProxyType(
    {
        "dialer": "discador",
        "manual": "manual",
        "receptive": "receptivo",
        "ura": "URA",
        "ivr": "URA",
    }
)
PHONE_TYPE: Mapping[str, str] = MappingProxyType({"mobile": "celular", "landline": "fixo"})

# Which codes stand at a path, as conditions and pages write it.
CODES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "call.status": CALL_STATUS,
        "callHistory.status": CALL_STATUS,
        "callHistory.status_id": CALL_STATUS,
        "agentStatus": AGENT_STATUS,
        "agent.status": AGENT_STATUS,
        "agent.agent_status.status": AGENT_STATUS,
        "call.hangup_cause": HANGUP_CAUSE,
        "callHistory.hangup_cause": HANGUP_CAUSE,
        "hangupCause.id": HANGUP_CAUSE,
        "call.call_mode": MODE,
        "callHistory.call_mode": MODE,
        "callHistory.mode": MODE,
        "agent.agent_status.call_mode": MODE,
        "callHistory.phone_type": PHONE_TYPE,
        "callHistory.qualification.behavior": BEHAVIOUR,
        "callHistory.behavior": BEHAVIOUR,
    }
)


def meaning(path: str, value: object) -> str:
    """Return what the code at a path means; "" if the path has no codes, or the code is unknown."""
    codes = CODES.get(path)
    if codes is None or isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    # A longer text is no code; Python refuses to write integers of more than 4,300 digits.
    if isinstance(value, int) and not 0 <= value < 1_000:
        return ""
    return codes.get(str(value), "")
