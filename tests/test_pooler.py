"""Behind a pooler of transactions (PgBouncer) the program works as on the server itself."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, make_url, select, text
from sqlalchemy.exc import OperationalError

from bounty.checks.books import run_checks
from bounty.db import POSTGRES_SETTINGS, make_engine, snapshot, transaction
from bounty.models import Order
from tests import postgres
from tests.factories import Month, order_row, promoter

SERVER_CONNECTIONS = 2
CLIENTS = 8


@pytest.fixture
def pooler(_postgres_template: str) -> Iterator[str]:
    """The URL of a migrated, empty database behind PgBouncer, which has two connections to the server."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.fail("There is no PgBouncer: install it (Debian: apt-get install pgbouncer).", pytrace=False)
    database = postgres.fresh_database(template=_postgres_template)
    server = make_url(database)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    identity = postgres.server_identity()  # PgBouncer too refuses to run as root
    # Not pytest's own folder, which is closed to other accounts.
    with tempfile.TemporaryDirectory(prefix="bounty-pooler-") as folder:
        Path(folder).chmod(0o755)
        settings = Path(folder, "pgbouncer.ini")
        settings.write_text(
            "[databases]\n"
            f"* = host={server.query['host']} port={server.query['port']} user=bounty\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = transaction\ndefault_pool_size = {SERVER_CONNECTIONS}\n"
        )
        command = [program, "--quiet", str(settings)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, **identity) as process:
            try:
                url = f"postgresql+psycopg://bounty@127.0.0.1:{port}/{server.database}"
                _wait_for(url.replace("+psycopg", ""), process)
                yield url
            finally:
                process.terminate()
    postgres.drop_database(database)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


def test_a_month_goes_from_files_to_its_notice_and_all_settings_hold(pooler: str, tmp_path: Path) -> None:
    with (
        pytest.raises(OperationalError, match="unsupported startup parameter"),
        make_engine(pooler).connect(),
    ):
        pass
    engine = make_engine(pooler, pooled=True)
    month = Month(engine, tmp_path)
    month.begin(promoter())
    month.orders(
        *(order_row(number=number) for number in range(30))
    )  # twice, each in a transaction of its own
    _settings_hold(engine)
    month.settle()
    month.publish()
    with snapshot(engine) as connection:
        assert len(connection.execute(select(Order.order_sn)).all()) == 30
        assert [result.name for result in run_checks(connection) if result.violations] == []
        left = text("SELECT relname FROM pg_class WHERE relpersistence = 't'")
        assert connection.execute(left).all() == []  # no temporary table outlives its transaction
    engine.dispose()


def _settings_hold(engine: Engine) -> None:
    for begin in (transaction, snapshot):
        with begin(engine) as connection:
            for name, value in POSTGRES_SETTINGS.items():
                held = connection.exec_driver_sql(f"SHOW {name}").scalar_one()
                assert held in (value, "1min", "5min"), name  # 60000ms and 300s, as the server shows them


def test_many_clients_share_few_connections(pooler: str, tmp_path: Path) -> None:
    engines = [make_engine(pooler, pooled=True) for _ in range(CLIENTS)]
    month = Month(engines[0], tmp_path)
    month.begin(promoter())

    def work(number: int) -> int:
        folder = tmp_path / str(number)
        folder.mkdir()
        of_client = Month(engines[number], folder)
        of_client.orders(*(order_row(number=100 * number + place) for place in range(10)))
        with snapshot(engines[number]) as connection:
            return len(connection.execute(select(Order.order_sn)).all())

    with ThreadPoolExecutor(CLIENTS) as pool:
        assert max(pool.map(work, range(CLIENTS))) == 10 * CLIENTS
    for engine in engines:
        engine.dispose()
