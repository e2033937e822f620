"""The keys of an installation: reads and creates them, and encrypts with the data keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import stat
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import Flask

MIN_LENGTH = 32

# The environment variable of each key, and the file in the instance folder that replaces it.
FILES = {"SECRET_KEY": "secret_key", "DATA_KEYS": "data_keys"}

# The version of the stored form; a Fernet token follows it.
_PREFIX = "f1:"

# One secret, two uses: HKDF gives each its own key (RFC 5869, the "info" argument).
_ENCRYPTION = b"webhookproxy secrets at rest 1"
_FINGERPRINT = b"webhookproxy fingerprints 1"


class ConfigError(Exception):
    """A setting or key that forbids the start; its text is one sentence for the admin."""


class KeyringError(Exception):
    """A stored secret that cannot be opened; its text says what to do and holds no secret."""


@dataclass(frozen=True, slots=True)
class Keys:
    """`secret_key` signs the session cookies, `data_keys` (newest first) encrypt what is stored."""

    secret_key: str
    data_keys: tuple[str, ...]

    def __repr__(self) -> str:
        """Hide the keys: a repr ends up in logs and tracebacks."""
        return f"Keys({len(self.data_keys)} data keys)"


def load(environ: Mapping[str, str], instance_path: str | Path) -> Keys:
    """Return the keys from the environment, else from the files of the instance folder.

    Raises ConfigError when one is missing, shorter than 32 characters, or in a file that other
    users of the machine can read.
    """
    instance = Path(instance_path)
    secret_key, source = _text("SECRET_KEY", environ, instance)
    _check_length(secret_key, "SECRET_KEY", source)
    text, source = _text("DATA_KEYS", environ, instance)
    data_keys = tuple(dict.fromkeys(text.replace(",", " ").split()))
    for key in data_keys or ("",):
        _check_length(key, "each key of DATA_KEYS", source)
    return Keys(secret_key, data_keys)


def _text(variable: str, environ: Mapping[str, str], instance: Path) -> tuple[str, str]:
    """Return the text of a key, and the name of the place where it was found."""
    given = environ.get(variable, "").strip()
    if given:
        return given, "the environment"
    path = instance / FILES[variable]
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise ConfigError(
            f"{variable} is missing: set it in the environment ({MIN_LENGTH} or more characters), "
            f"or run bin/serve once, which creates {path}."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read ({type(error).__name__}): mend it, or set {variable} in the "
            "environment."
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"{path} is open to other users of this machine: run chmod 600 {path}.")
    return text, str(path)


def _check_length(key: str, name: str, source: str) -> None:
    if len(key) < MIN_LENGTH:
        raise ConfigError(
            f"{name} must have at least {MIN_LENGTH} characters and has {len(key)} in {source}: "
            'make one with python -c "import secrets; print(secrets.token_urlsafe(48))".'
        )


def generate(environ: Mapping[str, str], instance_path: str | Path) -> list[Path]:
    """Create the missing key files with mode 600; return the created ones.

    A key set in the environment gets no file: if the variable were lost, the file's key would
    silently take its place. Two processes at the same time end with the same key.
    """
    instance = Path(instance_path)
    instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    close_folder(instance)
    return [
        instance / name
        for variable, name in FILES.items()
        if not environ.get(variable, "").strip() and _create(instance / name)
    ]


def close_folder(folder: Path) -> None:
    """Close a folder to other users of the machine, if it exists and may be changed."""
    with suppress(OSError):
        if folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            folder.chmod(0o700)


def _create(path: Path) -> bool:
    """Write a new key at `path`; return False if the file exists already."""
    if path.exists():
        return False
    # Written aside and then linked: no process reads a half-written file, and link() refuses to
    # replace the file of a faster process.
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    # A power cut that loses the data key would lose every secret encrypted with it.
    sync(path.parent)
    return True


def sync(path: Path) -> None:
    """Write a file's contents, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Keyring:
    """Encrypts with the newest data key, decrypts with any of them."""

    def __init__(self, data_keys: Sequence[str]) -> None:
        """Take at least one data key, newest first."""
        fernets = [Fernet(base64.urlsafe_b64encode(_derive(key, _ENCRYPTION))) for key in data_keys]
        self._newest = fernets[0]
        self._fernet = MultiFernet(fernets)
        self._fingerprint_keys = [_derive(key, _FINGERPRINT) for key in data_keys]

    def encrypt(self, text: str) -> str:
        """Return the stored form of a text, encrypted with the newest key."""
        return _PREFIX + self._fernet.encrypt(text.encode()).decode("ascii")

    def decrypt(self, stored: str) -> str:
        """Return the text that `encrypt` was given; raise KeyringError if no key opens it."""
        if not stored.startswith(_PREFIX):
            raise KeyringError(
                f'A stored secret does not start with "{_PREFIX}": it was not written by this '
                "version, so enter it again."
            )
        try:
            return self._fernet.decrypt(stored[len(_PREFIX) :].encode()).decode()
        except InvalidToken:
            raise KeyringError(
                "None of the DATA_KEYS opens a stored secret: put the key it was written with "
                "back at the end of DATA_KEYS, or enter the secret again."
            ) from None

    def is_newest(self, stored: str) -> bool:
        """Return whether the newest key encrypted this."""
        try:
            self._newest.decrypt(stored.removeprefix(_PREFIX).encode())
        except InvalidToken:
            return False
        return stored.startswith(_PREFIX)

    def fingerprint(self, text: str) -> str:
        """Return 64 hex digits, equal for equal texts (HMAC-SHA256 with the newest key)."""
        return _hmac(self._fingerprint_keys[0], text)

    def fingerprints(self, text: str) -> list[str]:
        """Return the fingerprint by every key, newest first: old rows keep an old key's."""
        return [_hmac(key, text) for key in self._fingerprint_keys]


def _derive(key: str, use: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=use).derive(key.encode())


def _hmac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def main(arguments: Sequence[str]) -> None:
    """Create missing key files in the given folder, else where the app looks for them."""
    instance = arguments[0] if arguments else Flask("webhookproxy").instance_path
    try:
        created = generate(os.environ, instance)
    except OSError as error:
        sys.exit(f"The keys cannot be created in {instance}: {error.strerror}.")
    for path in created:
        sys.stdout.write(f"Created {path}: keep a copy of it with your backups.\n")


if __name__ == "__main__":
    main(sys.argv[1:])
