"""create_app(settings) and the console script: the only wiring.

What a command does not need is imported where it is needed, so that ``bounty --help`` does not wait for it.
"""

import getpass
import logging
import os
from importlib import import_module
from typing import TYPE_CHECKING

import click
from flask.cli import FlaskGroup
from flask.helpers import get_debug_flag

from bounty import cli
from bounty.errors import BountyError

if TYPE_CHECKING:
    from flask import Flask
    from sqlalchemy.exc import DatabaseError

    from bounty.cli.context import CommandContext
    from bounty.notifications.delivery import DeliveryChannels
    from bounty.tranches.payer_files import Payer
    from config import Settings


def books_of(settings: "Settings") -> "CommandContext":
    """The database and the clock that settings name, for whoever is at the command line."""
    from bounty import clock, db  # noqa: PLC0415
    from bounty.audit.journal import keeping  # noqa: PLC0415
    from bounty.audit.service import Actor, acting  # noqa: PLC0415
    from bounty.cli.context import CommandContext  # noqa: PLC0415
    from bounty.orders.archived import with_archives  # noqa: PLC0415
    from bounty.payees.encryption import PayeeCipher  # noqa: PLC0415
    from bounty.platforms.pdd.account import PlatformAccount  # noqa: PLC0415
    from config import kept_key  # noqa: PLC0415

    def now() -> int:
        return clock.now() if settings.now is None else settings.now

    engine = keeping(db.make_engine(settings.database_url, pooled=settings.database_pooler), settings.backups)
    engine = with_archives(acting(engine, Actor(f"command line: {_login_name()}")), settings.archives)
    account = PlatformAccount(
        settings.platform_url,
        settings.platform_client_id,
        settings.platform_client_secret,
        settings.platform_orders,
    )
    return CommandContext(
        engine,
        now,
        settings.approval_required,
        settings.public_url,
        account,
        settings.backups,
        settings.postgres_programs,
        settings.calendar,
        lambda: kept_key(settings, "totp_key"),
        lambda: PayeeCipher(kept_key(settings, "payee_key")),
        payer_of(settings),
        settings.unusual_times,
    )


def payer_of(settings: "Settings") -> "Payer":
    """What differs between payers."""
    from bounty.tranches.payer_files import Payer  # noqa: PLC0415

    return Payer(
        settings.payout_remark, settings.payer_rows, settings.alipay_least_fen, settings.wechat_appid
    )


def post_of(settings: "Settings") -> "DeliveryChannels":
    """How messages leave.

    Raises BountyError for a webhook that can't be.
    """
    from bounty.notifications.delivery import DeliveryChannels  # noqa: PLC0415
    from bounty.notifications.endpoints import EndpointCipher  # noqa: PLC0415
    from bounty.notifications.mail import Mail  # noqa: PLC0415
    from bounty.notifications.webhook import webhook_of  # noqa: PLC0415
    from config import kept_key  # noqa: PLC0415

    mail = Mail(
        settings.mail_server,
        settings.mail_sender,
        settings.uploads.parent / "mails",
        settings.public_url,
        settings.mail_user,
        settings.mail_password,
    )
    webhook = webhook_of(settings.webhook_url, settings.webhook_secret, private=settings.webhook_private)
    return DeliveryChannels(
        mail,
        webhook,
        lambda: EndpointCipher(kept_key(settings, "totp_key")),
        settings.webhook_private,
    )


@click.command("worker")
@click.option(
    "--once", is_flag=True, help="Do all that is due, and end; exit 1 if something could not be done."
)
def work(*, once: bool) -> None:
    """Run the month by the calendar, until it is ended (Ctrl-C or SIGTERM)."""
    from bounty import schema, worker  # noqa: PLC0415
    from bounty.audit.service import Actor, acting  # noqa: PLC0415
    from bounty.calendar.jobs import JobContext  # noqa: PLC0415
    from bounty.web.shared import logs  # noqa: PLC0415
    from config import read_settings  # noqa: PLC0415

    settings = read_settings()
    books: CommandContext = click.get_current_context().meta[cli.BOOKS]()
    schema.require_current(books.engine)
    logs.write_json()
    logging.getLogger("apscheduler").setLevel(logging.WARNING)  # it tells of every wake-up
    means = JobContext(
        acting(books.engine, Actor("worker")),
        books.now,
        books.calendar,
        books.platform,
        books.backups,
        books.postgres_programs,
        books.payer.alipay_least_fen,
    )
    context = worker.WorkerContext(
        means,
        settings.calendar_seconds,
        settings.sync_minutes * 60,
        post_of(settings),
        settings.post_seconds,
    )
    if not once:
        worker.run(context)
    elif refused := worker.once(context):
        raise BountyError(f"Not done: {'; '.join(refused)}")


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return f"user {os.getuid()}"


def create_app(settings: "Settings | None" = None) -> "Flask":
    """The web application over one database.

    Raises BountyError if the settings can't hold or the schema is behind.
    """
    from flask import Flask  # noqa: PLC0415

    from bounty import db, schema, web  # noqa: PLC0415
    from bounty.orders.archived import with_archives  # noqa: PLC0415
    from bounty.resources import PACKAGE, resource_folder  # noqa: PLC0415
    from config import kept_key, read_settings, require_safe_site  # noqa: PLC0415

    settings = settings or read_settings()
    require_safe_site(settings, debug=get_debug_flag())
    books = books_of(settings)
    schema.require_current(books.engine)
    app = Flask(
        "bounty",
        template_folder=str(resource_folder("templates")),
        root_path=str(PACKAGE),
        static_folder="web/static",
    )
    keys = {name: kept_key(settings, name) for name in ("secret_key", "totp_key", "payee_key")}
    read_engine = None
    if settings.read_database_url:
        read_engine = with_archives(
            db.make_engine(settings.read_database_url, pooled=settings.database_pooler), settings.archives
        )
    web.install(app, books.engine, books.now, settings, **keys, read_engine=read_engine)
    return app


class Commands(FlaskGroup):
    """The command line. A refusal is one line on standard error and exit 1; only a bug has a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        # Flask's own would load the application to ask it for more.
        ours = [name for entries in (*cli.COMMANDS.values(), cli.HIDDEN) for name in entries]
        return [*ours, *click.Group.list_commands(self, ctx)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands under their headings. Flask's own work but are not listed."""
        serving = {"worker": cli.Entry("", "Run the month by the calendar, until it is ended")}
        for heading, entries in (*cli.COMMANDS.items(), ("Serving", serving)):
            with formatter.section(heading):
                formatter.write_dl([(name, entry.summary) for name, entry in entries.items()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for entries in (*cli.COMMANDS.values(), cli.HIDDEN):
            if cmd_name in entries:
                module, _, name = entries[cmd_name].place.partition(":")
                command: click.Command = getattr(import_module(f"bounty.cli.{module}"), name)
                return command
        return click.Group.get_command(self, ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> object:
        from sqlalchemy.exc import DatabaseError, DataError, OperationalError  # noqa: PLC0415

        made: list[CommandContext] = []

        def books() -> "CommandContext":
            if not made:
                from config import read_settings  # noqa: PLC0415

                made.append(books_of(read_settings()))
                ctx.call_on_close(made[0].engine.dispose)
            return made[0]

        ctx.meta[cli.BOOKS] = books
        try:
            return super().invoke(ctx)
        except BountyError as refusal:
            raise click.ClickException(" ".join(str(refusal).split())) from refusal
        except DatabaseError as error:
            # OperationalError: locked, full, gone; DatabaseError itself: not a database. Its other kinds are bugs, but
            # for a sum beyond 64 bits, which SQLite calls operational and PostgreSQL wrong data.
            too_large = isinstance(error, DataError) and "out of range" in str(error.orig)
            if type(error) not in (OperationalError, DatabaseError) and not too_large:
                raise
            raise click.ClickException(_sentence(error)) from error


def _sentence(error: "DatabaseError") -> str:
    """What to do about a database that would not; the transaction is rolled back, so nothing has changed."""
    message = " ".join(str(error.orig).split())
    waited = ("database is locked", "lock timeout", "deadlock detected")
    if any(words in message for words in waited):
        return f"Another command is still writing to the books. Nothing was changed: run this again later. ({message})"
    if "out of range" in message or "integer overflow" in message:
        return f"A sum is beyond what 64 bits hold: look for orders of absurd amounts. Nothing was changed. ({message})"
    return f"The database refused: {message}. Nothing was changed: mend it and run this again."


main = Commands(
    name="bounty",
    create_app=create_app,
    add_version_option=False,
    load_dotenv=False,
    help="Run the monthly bounty programmes of affiliate promoters: orders, settlements, notices and payments.",
)
click.version_option(package_name="bounty", message="bounty %(version)s")(main)
main.add_command(work)
for _option in main.params:
    # Flask's own options work, but no command of this program needs them.
    if isinstance(_option, click.Option) and _option.name in {"env_file", "app", "debug"}:
        _option.hidden = True
