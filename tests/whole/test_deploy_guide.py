"""docs/uso/implantacao.md is followed to the letter: every block that can run here is run."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
import requests
import trustme
import yaml

from tests.support.application import wait_until
from tests.support.server_process import free_port
from tests.whole.installed import ROOT, environment, first_access, repository, running
from tests.whole.test_deploy import log_in, status_of
from webhookproxy.config.settings import ConfigError, load
from webhookproxy.engine.shares.successor import WAIT_SECONDS

GUIDE = (ROOT / "docs/uso/implantacao.md").read_text(encoding="utf-8")
HERE = "<este repositório>"
DOCKER = "no Docker engine runs here; tests/whole/test_container.py runs the lines of the image"
TWO_MACHINES = "tests/engine/shares/test_sharing.py hands the shares over as this does"
ACCOUNT = "it needs an account, and the internet"
# Every block of the page by its first line; those that are not run say why.
BLOCKS = {
    "git clone <este repositório> webhookproxy && cd webhookproxy": "try",
    "useradd --system --home-dir /var/lib/webhookproxy --shell /usr/sbin/nologin webhookproxy": "s",
    "[Unit]\nDescription=webhookproxy %i\nWants": "service",
    "systemctl daemon-reload": "service",
    "cd /srv/webhookproxy/atual\n(set -a": "service",
    "# $uri, e não $request: sem o que se buscou.": "nginx",
    "relay.example.com {": "caddy",
    "docker compose up -d --build": DOCKER,
    "COMPOSE_PROFILES=postgresql": "compose",
    "docker compose exec -T relay flask backup --keep 7 instance/copias": DOCKER,
    "git pull && docker compose build": DOCKER,
    "bin/serve --take-over": "tests/faults/server/test_hand_over.py replaces a running server",
    "DATABASE_URL=postgresql://webhookproxy:uma-senha@banco": "shares",
    "[Service]\nExecStart=\n": "service",
    "systemctl disable --now webhookproxy@1\nsystemctl enable": TWO_MACHINES,
    "heroku create": ACCOUNT,
    "replicas: 1": "kubernetes",
    "ports: [{containerPort: 5000}]": "kubernetes",
    "0 3 * * * cd $HOME/webhookproxy": "try",
    "[Unit]\nDescription=webhookproxy: backup\n": "service",
    "[Unit]\nDescription=webhookproxy: backup every night": "service",
    "systemctl enable --now webhookproxy-backup.timer": "service",
    ".venv/bin/python -m flask backup --keep 7 copias": "try",
    "cd /srv/webhookproxy\ngit clone": "service",
    "cd /srv/webhookproxy\nsystemctl enable": "service",
    "cd /srv/webhookproxy/atual\nsystemctl stop": "service",
}
# Does what systemd would do with a unit of the page, as far as the page needs it.
SYSTEMCTL = """#!{python}
import os, pathlib, re, shlex, signal, subprocess, sys, time
root = pathlib.Path("{root}")
verb, *rest = sys.argv[1:]
if verb == "daemon-reload" or verb == "disable" or rest[-1].endswith(".timer"):
    sys.exit()
def runs(pid):
    # An ended process that no one has waited for is still there, without a command line.
    left = pathlib.Path("/proc", pid.read_text(), "cmdline")
    return left.exists() and bool(left.read_bytes())
if verb == "stop":
    for pid in filter(runs, root.glob(rest[-1] + ".pid")):
        os.kill(int(pid.read_text()), signal.SIGTERM)
        while runs(pid):
            time.sleep(0.05)
    sys.exit()
name = rest[-1].removesuffix(".service")
base, at, instance = name.partition("@")
unit = (root / "etc/systemd/system" / (base + at + ".service")).read_text()
unit = unit.replace("%i", instance)
said = dict(re.findall(r"^(\\w+)=(.*)$", unit, re.M))
folder = root / "var/lib" / said.get("StateDirectory", "webhookproxy")
folder.mkdir(mode=0o700, exist_ok=True)
lines = pathlib.Path(said["EnvironmentFile"]).read_text().splitlines()
given = dict(os.environ) | dict(line.split("=", 1) for line in lines)
words, place = shlex.split(said["ExecStart"]), said["WorkingDirectory"]
if said.get("Type") == "oneshot":
    sys.exit(subprocess.run(words, cwd=place, env=given).returncode)
pid = root / (name + ".pid")
if not pid.exists() or not runs(pid):
    with (root / "journal").open("ab") as log:
        started = subprocess.Popen(
            words, cwd=place, env=given, stdout=log, stderr=log, start_new_session=True
        )
    pid.write_text(str(started.pid))
"""


def blocks(language: str) -> list[str]:
    """Return the page's blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


def block(beginning: str) -> str:
    """Return the one block that begins so."""
    (found,) = [each for each in blocks("[a-z]+") if each.startswith(beginning)]
    return str(found)


def test_every_block_of_the_page_is_run_or_says_why_not() -> None:
    found = blocks("[a-z]+")
    assert GUIDE.count("\n```") == 2 * len(found)
    for beginning in BLOCKS:
        assert sum(each.startswith(beginning) for each in found) == 1, beginning
    assert len(found) == len(BLOCKS)


@pytest.mark.parametrize("text", blocks("sh"), ids=lambda text: text.splitlines()[0])
def test_every_command_of_the_page_can_be_pasted_into_a_shell(text: str) -> None:
    subprocess.run(["/bin/sh", "-n"], input=text.replace(HERE, "."), text=True, check=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_clone_serves_by_the_printed_address_and_a_restore_is_rehearsed_beside_it(
    tmp_path: Path,
) -> None:
    port, output = free_port(), tmp_path / "output.txt"
    given = environment(tmp_path, PORT=str(port))
    command = block("git clone").replace(HERE, repository(tmp_path))
    clone = tmp_path / "webhookproxy"

    def run(text: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-ec", text], cwd=clone, env=given, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    with running(command, tmp_path, given, output):
        wait_until(lambda: first_access(output) is not None, 120, "the first access is printed")
        address = str(first_access(output))
        base, _, code = address.partition("/primeiro-acesso?codigo=")
        assert base == f"http://127.0.0.1:{port}"
        assert code in requests.get(address, timeout=20).text
        log_in(base, code)
        run(".venv/bin/python -m flask company create 'Clínica do Ensaio' --token a-made-up-token")
        before = {path.name for path in clone.iterdir()}
        (drill,) = [text for text in blocks("sh") if "ensaio.sqlite" in text]
        assert len(drill.strip().splitlines()) == 4
        assert "Clínica do Ensaio" in run(drill)
        assert {path.name for path in clone.iterdir()} - before == {"copias"}
        assert requests.get(f"{base}/saude", timeout=20).json()["backup_age_seconds"] < 120
        run(block("0 3 * * *").partition("* * * ")[2])
        assert len(list((clone / "copias").glob("*.sqlite"))) == 2
    private = [clone / "instance", *(clone / "instance").iterdir(), *(clone / "copias").iterdir()]
    open_to_others = [path.name for path in private if path.stat().st_mode & 0o077]
    assert open_to_others == [".gitignore"]


class Service:
    """The machine of the page, with its folders under `root`, and a systemctl of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port = free_port()
        for folder in ("etc/systemd/system", "var/lib", "bin"):
            (root / folder).mkdir(parents=True)
        self._script("systemctl", SYSTEMCTL.format(python=sys.executable, root=root))
        self._script("useradd", "#!/bin/sh\n")
        self._script("journalctl", f"#!/bin/sh\ncat {root}/journal\n")
        # runuser -u webhookproxy -- command
        self._script("runuser", '#!/bin/sh\nshift 3\nexec "$@"\n')
        given = environment(root, PORT=str(self.port))
        self.environment = {**given, "PATH": f"{root}/bin:{given['PATH']}"}
        self.repository = repository(root)
        for name, beginning in (
            ("webhookproxy@.service", "[Unit]\nDescription=webhookproxy %i\n"),
            ("webhookproxy-backup.service", "[Unit]\nDescription=webhookproxy: backup\n"),
            ("webhookproxy-backup.timer", "[Unit]\nDescription=webhookproxy: backup every"),
        ):
            path = root / "etc/systemd/system" / name
            path.write_text(self.text(beginning), encoding="utf-8")

    def text(self, beginning: str) -> str:
        """Return a block with the machine's folders under `root`."""
        text = block(beginning).replace(HERE, self.repository)
        return re.sub(r"(?<![\w.])/(srv|etc|var/lib)/", rf"{self.root}/\1/", text)

    def run(self, beginning: str) -> str:
        """Run a block as root would paste it; return what it prints."""
        done = subprocess.run(
            ["/bin/sh", "-ec", self.text(beginning)],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def wait(self, *ended: str) -> None:
        """Wait until the server stores events, and those of these versions have ended."""
        url = f"http://127.0.0.1:{self.port}"
        for version in ended:
            wait_until(partial(self.has_ended, version), 90, f"version {version} is replaced")
        wait_until(lambda: status_of(url) == 200, 60, "the server is well")

    def has_ended(self, version: str) -> bool:
        """Return whether the server of a version has ended."""
        pid = (self.root / f"webhookproxy@{version}.pid").read_text()
        left = Path("/proc", pid, "cmdline")
        return not left.exists() or not left.read_bytes()

    def companies(self) -> list[str]:
        """Return the names of the companies in the database."""
        with closing(sqlite3.connect(self.root / "var/lib/webhookproxy/webhookproxy.sqlite")) as db:
            return [name for (name,) in db.execute("SELECT name FROM companies ORDER BY id")]

    def create(self, name: str) -> None:
        """Create a company with the page's way to give a command."""
        command = self.text("cd /srv/webhookproxy/atual\n(set -a").replace(
            "flask status", f"flask company create {name} --token a-token-of-{name}"
        )
        subprocess.run(["/bin/sh", "-ec", command], env=self.environment, check=True)

    def stop(self) -> None:
        """Kill the servers that still run."""
        for pid in self.root.glob("*.pid"):
            with suppress(ProcessLookupError):
                os.killpg(int(pid.read_text()), signal.SIGKILL)

    def _script(self, name: str, text: str) -> None:
        path = self.root / "bin" / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)


@pytest.mark.slow
# A dozen commands of 2 s of a core each, and five starts.
@pytest.mark.timeout(600)
def test_a_service_is_installed_backed_up_updated_and_taken_back(tmp_path: Path) -> None:
    service = Service(tmp_path)
    try:
        service.run("useradd")
        secrets = tmp_path / "etc/webhookproxy.env"
        assert secrets.stat().st_mode & 0o777 == 0o600
        service.run("systemctl daemon-reload")
        service.wait()
        # The journal is shown again: the block above may have been too quick for the server.
        assert "https://relay.example.com/primeiro-acesso?codigo=" in service.run("systemctl dae")
        service.create("Antes")
        assert "Antes" in service.run("cd /srv/webhookproxy/atual\n(set -a")
        service.run("systemctl enable --now webhookproxy-backup.timer")
        service.run("cd /srv/webhookproxy\ngit clone")
        service.wait("1")
        assert (tmp_path / "srv/webhookproxy/atual").readlink() == Path("2")
        service.create("Depois")
        service.run("cd /srv/webhookproxy\nsystemctl enable")
        service.wait("2")
        assert (tmp_path / "srv/webhookproxy/atual").readlink() == Path("1")
        assert service.companies() == ["Antes", "Depois"]
        service.run("cd /srv/webhookproxy/atual\nsystemctl stop")
        service.wait()
        assert service.companies() == ["Antes"]
    finally:
        service.stop()
    # The unit lets the program write here alone.
    written = {path.parent for path in tmp_path.rglob("*.sqlite*")}
    data = tmp_path / "var/lib/webhookproxy"
    assert written == {data, data / "copias"}
    assert [path.name for path in (tmp_path / "srv/webhookproxy/1/instance").iterdir()] == [
        ".gitignore"
    ]


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    service = Service(tmp_path)
    for program in ("1/bin/serve", "atual/.venv/bin/python"):
        path = tmp_path / "srv/webhookproxy" / program
        path.parent.mkdir(parents=True)
        path.symlink_to("/bin/true")
    folder = tmp_path / "etc/systemd/system"
    (folder / "webhookproxy@.service.d").mkdir()
    shares = folder / "webhookproxy@.service.d/partes.conf"
    shares.write_text(service.text("[Service]\nExecStart=\n"), encoding="utf-8")
    # systemd looks at a version, and not at the model of all.
    (folder / "webhookproxy@1.service").symlink_to("webhookproxy@.service")
    units = [*folder.glob("webhookproxy-*"), folder / "webhookproxy@1.service"]
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "webhookproxy" in line]
    assert (done.returncode, ours) == (0, []), done.stderr
    assert service.text("[Unit]\nDescription=webhookproxy %i\n").count("StateDirectory=") == 1


def test_nginx_takes_the_block_of_the_page(tmp_path: Path) -> None:
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    issued = trustme.CA().issue_cert("relay.example.com")
    issued.private_key_pem.write_to_path(str(tmp_path / "privkey.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "fullchain.pem"))
    text = block("# $uri").replace("/etc/letsencrypt/live/relay.example.com", str(tmp_path))
    text = text.replace("/var/log/nginx", str(tmp_path))
    # nginx opens the ports even to check them, and 80 and 443 are root's.
    text = re.sub(r"(listen \S*?)(?:80|443)\b", lambda found: f"{found[1]}{free_port()}", text)
    if not Path("/proc/net/if_inet6").exists():
        text = re.sub(r".*listen \[::\].*\n", "", text)
    (tmp_path / "site.conf").write_text(text, encoding="utf-8")
    places = [f"{each}_temp_path {tmp_path}/{each};" for each in ("client_body", "proxy")]
    places += [f"{each}_temp_path {tmp_path}/{each};" for each in ("fastcgi", "uwsgi", "scgi")]
    http = "\n".join([*places, f"include {tmp_path}/site.conf;"])
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{http}\n}}\n", encoding="utf-8"
    )
    command = ["nginx", "-t", "-e", "stderr", "-p", str(tmp_path)]
    command += ["-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr
    # What people search for is in the query.
    assert "$request " not in text
    assert "$request_uri" not in text.partition("ssl_certificate")[2]


def test_caddy_takes_the_file_of_the_page(tmp_path: Path) -> None:
    if shutil.which("caddy") is None:
        pytest.skip("caddy is not installed")
    file = tmp_path / "Caddyfile"
    file.write_text(block("relay.example.com {"), encoding="utf-8")
    command = ["caddy", "adapt", "--validate", "--config", str(file)]
    given = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_settings_of_the_page_for_compose_are_ones_that_the_server_takes() -> None:
    lines = dict(line.split("=", 1) for line in block("COMPOSE_PROFILES").splitlines())
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    known = {"COMPOSE_PROFILES", "POSTGRES_PASSWORD", *compose["relay"]["environment"]}
    assert lines.keys() <= known
    config = load({**lines, "SECRET_KEY": "s" * 32, "DATA_KEYS": "d" * 32}, {}, "/app/instance")
    assert config["DATABASE_URL"].endswith(
        f"//webhookproxy:{lines['POSTGRES_PASSWORD']}@postgresql/webhookproxy"
    )
    made = compose["postgresql"]["environment"]
    assert (made["POSTGRES_USER"], made["POSTGRES_DB"]) == ("webhookproxy", "webhookproxy")


def test_the_settings_of_the_page_for_two_machines_are_ones_that_the_server_takes() -> None:
    lines = dict(line.split("=", 1) for line in block("DATABASE_URL=").splitlines())
    given = {**lines, "SECRET_KEY": "s" * 32, "DATA_KEYS": "d" * 32}
    assert load(given, {}, "/app/instance")["SHARES"] == 8
    with pytest.raises(ConfigError, match="TAKE_OVER is for one process"):
        load({**given, "TAKE_OVER": "1"}, {}, "/app/instance")
    # The unit of one machine takes over; that of two must not.
    assert "--take-over" in block("[Unit]\nDescription=webhookproxy %i")
    assert "--take-over" not in block("[Service]\nExecStart=\n")


def test_the_lines_for_kubernetes_ask_the_port_and_the_user_of_the_image() -> None:
    lines = yaml.safe_load(block("ports: [{containerPort"))
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"EXPOSE {lines['ports'][0]['containerPort']}\n" in text
    assert f"USER {lines['securityContext']['runAsUser']}:" in text
    assert lines["readinessProbe"]["httpGet"] == {"path": "/saude", "port": 5000}
    # A server whose database is away must not be killed.
    assert "httpGet" not in lines["livenessProbe"]
    # The new pod is there before the old one ends, which hands its sockets over.
    deployment = yaml.safe_load(block("replicas: 1"))
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert deployment["minReadySeconds"] > WAIT_SECONDS
