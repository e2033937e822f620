"""The users of the showcase."""

from __future__ import annotations

EMAIL = "ana@empresa.com.br"
OPERATOR = "beto@empresa.com.br"
NEWCOMER = "carla@empresa.com.br"
PASSWORD = "uma senha comprida"
