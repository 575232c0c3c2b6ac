"""The wheel works alone: installed into a fresh environment, outside the checkout."""

import os
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment that holds the wheel. Its libraries are those of the tests' own environment, without
    the checkout: a path file that is read from another folder doesn't bring in that folder's own path files."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps",
            "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT),
        ],
        check=True,
    )  # fmt: skip
    (wheel,) = folder.glob("bounty-*.whl")
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel)], check=True
    )
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outside")


def environment_variables(installed: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BOUNTY_", "PYTHON", "FLASK_"))
    }
    return kept | {"PATH": f"{installed / 'bin'}:{os.environ['PATH']}"}


def bounty(installed: Path, outside: Path, *words: str) -> str:
    ended = subprocess.run(
        [installed / "bin" / "bounty", *words],
        cwd=outside, env=environment_variables(installed), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_package_comes_from_the_wheel(installed: Path, outside: Path) -> None:
    where = subprocess.run(
        [installed / "bin" / "python", "-c", "import bounty, config; print(bounty.__file__, config.__file__)"],
        cwd=outside, env=environment_variables(installed), capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert all(Path(file).is_relative_to(installed) for file in where)
    assert bounty(installed, outside, "--version") == "bounty 0.2.0\n"


def test_it_makes_its_schema_and_its_sample_and_serves_a_page(installed: Path, outside: Path) -> None:
    bounty(installed, outside, "db", "upgrade")
    bounty(installed, outside, "demo")
    assert (installed / "var" / "bounty-instance" / "bounty.sqlite").is_file()
    with serving(installed, outside) as address:
        page = urllib.request.urlopen(f"{address}/login", timeout=10).read().decode()
        english = urllib.request.Request(f"{address}/login", headers={"Accept-Language": "en"})
        english_page = urllib.request.urlopen(english, timeout=10).read().decode()
        style = urllib.request.urlopen(f"{address}/static/bounty.css", timeout=10).read()
    assert "<form" in page
    assert "登录" in page
    assert "Log in" in english_page  # the catalogue is in the wheel, compiled
    assert "登录" not in english_page
    assert style


class serving:
    """A served site, for the time of a ``with``."""

    def __init__(self, installed: Path, outside: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.command = [str(installed / "bin" / "bounty"), "run", "--port", str(self.port)]
        self.outside, self.variables = outside, environment_variables(installed)

    def __enter__(self) -> str:
        self.process = subprocess.Popen(
            self.command,
            cwd=self.outside,
            env=self.variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        address = f"http://127.0.0.1:{self.port}"
        for _ in self._tries():
            try:
                urllib.request.urlopen(f"{address}/healthz", timeout=5)
            except OSError:
                time.sleep(0.1)
            else:
                return address
        self.process.kill()
        raise AssertionError("the installed site did not answer within a minute")

    def _tries(self) -> Iterator[None]:
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            yield

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)
