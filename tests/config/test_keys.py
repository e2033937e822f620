"""Keys: their sources, their creation, and their encryption."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from webhookproxy.config.keys import ConfigError, Keyring, KeyringError, generate, load, main

# The result of Keyring(["k" * 32]) for "token", when this test was written.
FINGERPRINT = "d1edb40917971f09265611d64565d85b54cb34a49799275785be7acf07d458c3"
STORED = (
    "f1:gAAAAABrBKuaxkg8wJwu3vosgF2usZQO54Kx_qBrCqhl0voEOkRHbXbMrKmIIhw1tUB"
    "6ZRYLdCARPSVMb6D65mEceT8T_tsPPA=="
)

OLD, NEW = "old-" + "o" * 32, "new-" + "n" * 32
ROOT = Path(__file__).resolve().parents[2]


def test_keys_come_from_the_environment_newest_first(tmp_path: Path) -> None:
    keys = load({"SECRET_KEY": OLD, "DATA_KEYS": f"{NEW}, {OLD} {NEW}"}, tmp_path)
    assert (keys.secret_key, keys.data_keys) == (OLD, (NEW, OLD))


def test_generated_keys_are_private_files_that_load_reads(tmp_path: Path) -> None:
    created = generate({}, tmp_path / "instance")
    assert [path.name for path in created] == ["secret_key", "data_keys"]
    assert {path.stat().st_mode & 0o777 for path in created} == {0o600}
    assert (tmp_path / "instance").stat().st_mode & 0o777 == 0o700
    keys = load({}, tmp_path / "instance")
    assert keys.secret_key != keys.data_keys[0]
    assert min(len(keys.secret_key), len(keys.data_keys[0])) >= 32


def test_generating_again_changes_nothing(tmp_path: Path) -> None:
    generate({}, tmp_path)
    before = load({}, tmp_path)
    assert generate({}, tmp_path) == []
    assert load({}, tmp_path) == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_key_from_the_environment_gets_no_file(tmp_path: Path) -> None:
    assert [path.name for path in generate({"DATA_KEYS": NEW}, tmp_path)] == ["secret_key"]


def test_the_folder_of_the_keys_is_closed_to_other_users(tmp_path: Path) -> None:
    # As git makes it.
    (tmp_path / "instance").mkdir(mode=0o755)
    generate({}, tmp_path / "instance")
    assert (tmp_path / "instance").stat().st_mode & 0o777 == 0o700


def test_two_processes_that_generate_at_once_end_with_the_same_keys(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "webhookproxy.config.keys", str(tmp_path)]
    environ = {k: v for k, v in os.environ.items() if k not in ("SECRET_KEY", "DATA_KEYS")}
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    output = "".join(process.communicate(timeout=60)[0] for process in processes)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data_keys", "secret_key"]
    # Each file has one creator, and no process prints a key.
    assert output.count("Created ") == 2
    keys = load({}, tmp_path)
    assert keys.secret_key not in output
    assert keys.data_keys[0] not in output


def test_the_command_prints_a_line_for_each_file_it_creates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.delenv("DATA_KEYS", raising=False)
    main([str(tmp_path)])
    assert len(capsys.readouterr().out.splitlines()) == 2
    main([str(tmp_path)])
    assert capsys.readouterr().out == ""


def test_a_missing_key_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"DATA_KEYS is missing: set it .* run bin/serve once"):
        load({"SECRET_KEY": OLD, "DATA_KEYS": " "}, tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    generate({}, tmp_path)
    (tmp_path / "data_keys").chmod(mode)
    with pytest.raises(ConfigError, match=r"chmod 600 .*data_keys"):
        load({}, tmp_path)


@pytest.mark.parametrize("text", ["short-canary", f"{NEW},short-canary", ","])
def test_a_short_data_key_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="at least 32 characters") as error:
        load({"SECRET_KEY": OLD, "DATA_KEYS": text}, tmp_path)
    assert "canary" not in str(error.value)


def test_an_empty_or_unreadable_key_file_is_refused(tmp_path: Path) -> None:
    generate({}, tmp_path)
    (tmp_path / "secret_key").write_text("")
    with pytest.raises(ConfigError, match=r"has 0 in .*secret_key"):
        load({}, tmp_path)
    (tmp_path / "secret_key").write_bytes(b"\xff" * 40)
    with pytest.raises(ConfigError, match="cannot be read"):
        load({}, tmp_path)


def test_the_repr_of_keys_shows_none() -> None:
    assert repr(load({"SECRET_KEY": OLD, "DATA_KEYS": NEW}, "/nowhere")) == "Keys(1 data keys)"


def test_what_is_encrypted_is_read_back_and_differs_each_time() -> None:
    ring = Keyring([NEW])
    stored = ring.encrypt("sëcret ✓")
    assert stored.startswith("f1:")
    assert stored != ring.encrypt("sëcret ✓")
    assert ring.decrypt(stored) == "sëcret ✓"


def test_an_old_key_still_opens_what_it_closed_and_the_newest_closes() -> None:
    both = Keyring([NEW, OLD])
    assert both.decrypt(Keyring([OLD]).encrypt("text")) == "text"
    assert Keyring([NEW]).decrypt(both.encrypt("text")) == "text"


def test_without_the_right_key_a_secret_stays_closed() -> None:
    with pytest.raises(KeyringError, match="None of the DATA_KEYS"):
        Keyring([NEW]).decrypt(Keyring([OLD]).encrypt("text"))
    with pytest.raises(KeyringError, match="None of the DATA_KEYS"):
        Keyring([NEW]).decrypt("f1:é")
    with pytest.raises(KeyringError, match="enter it again"):
        Keyring([NEW]).decrypt("plain text")


def test_fingerprints_are_equal_for_equal_texts_and_stable_across_processes() -> None:
    both = Keyring([NEW, OLD])
    assert both.fingerprints("text") == [
        Keyring([NEW]).fingerprint("text"),
        Keyring([OLD]).fingerprint("text"),
    ]
    assert both.fingerprint("text") != both.fingerprint("texT")
    # Rows hold these: a change of the derivation would let one token be registered twice.
    assert Keyring(["k" * 32]).fingerprint("token") == FINGERPRINT


def test_a_secret_stored_by_an_earlier_version_is_still_opened() -> None:
    assert Keyring(["k" * 32]).decrypt(STORED) == "token"


def test_a_folder_that_takes_no_keys_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=r"^The keys cannot be created in .*\.$"):
        main([str(tmp_path / "file" / "instance")])


def test_a_key_knows_what_the_newest_encrypted() -> None:
    both = Keyring([NEW, OLD])
    assert both.is_newest(both.encrypt("text"))
    assert not both.is_newest(Keyring([OLD]).encrypt("text"))
    assert not both.is_newest(both.encrypt("text").removeprefix("f1:"))
    assert not both.is_newest("f1:é")
