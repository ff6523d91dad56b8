"""The witness at work: a database whose log is read, programs played on it, and what was found."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from django.db import connections
from psycopg import sql

from testkit.audittrail.witness.change_log import ChangeLog
from testkit.audittrail.witness.dossiers import DOSSIER, tracked_dossiers
from testkit.audittrail.witness.player import Keys, Player
from testkit.audittrail.witness.programs import Program, Setting
from testkit.audittrail.witness.testimony import ARTICLE, OUTBOX, Finding, Testimony

KINDS = (ARTICLE, DOSSIER)

SUPERUSER = "postgres"
"""Of the local stack; its password is its name."""

# Triggers of the site's own: one sets a tracked column that no statement names, one changes a row again.
_TRIGGERS = """
CREATE FUNCTION set_source() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW.source_path := NEW.external_id; RETURN NEW; END $$;
CREATE TRIGGER set_source BEFORE UPDATE ON newsroom_article FOR EACH ROW
  WHEN (NEW.external_id IS NOT NULL) EXECUTE FUNCTION set_source();
CREATE FUNCTION summarise() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN UPDATE newsroom_article SET standfirst = left(NEW.body, 10) WHERE id = NEW.id; RETURN NULL; END $$;
CREATE TRIGGER a_summarise AFTER UPDATE ON newsroom_article FOR EACH ROW
  WHEN (NEW.status = 'in_review' AND NEW.standfirst = '') EXECUTE FUNCTION summarise();
"""

# A session waits a moment for another one's locks; who waits in a circle is told soon.
_WAITS = {"lock_timeout": "150ms", "deadlock_timeout": "50ms"}

# Settings that would end the session or the example, or have no bound; what is logged, and how clients are heard.
_LEFT_OUT = (
    "application_name|backslash_quote|client_.*|debug_.*|exit_on_error|log_.*|.*_timeout|local_preload_libraries|tcp_.*"
    "|search_path|temp_buffers|timezone_abbreviations|trace_.*|vacuum_.*|.*work_mem|wal_sender_.*|post_auth_delay"
    "|default_transaction_read_only|transaction_read_only|restrict_nonsystem_relation_kind|default_table.*|temp_tablespaces"
)

_SETTINGS = f"""
SELECT name, vartype, enumvals, min_val, max_val, boot_val FROM pg_settings
WHERE context = 'user' AND name !~* '^({_LEFT_OUT})$' ORDER BY name"""

_TEXTS = {
    "DateStyle": ("SQL, DMY", "German", "Postgres, MDY", "ISO, YMD"),
    "TimeZone": ("Asia/Kolkata", "America/St_Johns", "Etc/GMT+12"),
    "lc_monetary": ("C",),
    "lc_numeric": ("C",),
    "lc_time": ("C",),
    "default_text_search_config": ("pg_catalog.german", "pg_catalog.simple"),
}


class Witness:
    """Plays programs and says what of them the events do not tell truly."""

    def __init__(self, log: ChangeLog, player: Player, superuser: psycopg.Connection):
        self.testimony = Testimony(KINDS)
        self.programs = 0
        self._log, self._player, self._superuser = log, player, superuser

    def settings(self) -> list[Setting]:
        """What the application's role may set, with values to try."""
        return [Setting(row[0], values) for row in self._superuser.execute(_SETTINGS) if (values := _values(*row))]

    def judge(self, program: Program) -> list[Finding]:
        """Play a program, on articles of its own; where log, events and live rows differ afterwards."""
        self.programs += 1
        keys = self._player.new_keys()
        failures = self._player.play(program, keys)
        self._end_prepared()
        self.testimony.saves_asked_for = _asked_for(program, keys)
        findings = self.testimony.hear(self._log.read())
        self.testimony.forget()
        return [*findings, *_broken_by_capture(failures), *self._left_behind(keys)]

    def report(self) -> str:
        """What was played and compared so far."""
        seen = self.testimony
        return (
            f"{self.programs} programs: {seen.transactions} transactions with {seen.changes} changed rows, "
            f"{seen.events} events"
        )

    def _end_prepared(self) -> None:
        found = self._superuser.execute("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")
        for (name,) in found.fetchall():
            self._superuser.execute(sql.SQL("ROLLBACK PREPARED {}").format(sql.Literal(name)))

    def _left_behind(self, keys: Keys) -> Iterator[Finding]:
        for kind, pks in ((ARTICLE, [str(pk) for pk in keys.articles]), (DOSSIER, keys.dossiers)):
            drift = self._superuser.execute("SELECT article_id, fields FROM audit_drift(%s, %s)", [kind.name, pks])
            yield from (Finding(article_id, f"drift: {fields}") for article_id, fields in drift)
        touched = self._superuser.execute("SELECT article_id FROM audit_touched")
        yield from (Finding(article_id, "a touch that was never folded") for (article_id,) in touched)


@contextmanager
def witness(database: str) -> Iterator[Witness]:
    """On a migrated database of nobody else's, to which Django's connections point; it is dropped at the end."""

    def opened(alias: str) -> psycopg.Connection:
        settings = connections[alias].settings_dict
        return _connected(database, settings["USER"], settings["PASSWORD"])

    with _connected(database, SUPERUSER, SUPERUSER) as superuser:
        name = sql.Identifier(database)
        for setting, value in _WAITS.items():
            superuser.execute(sql.SQL("ALTER DATABASE {} SET {} = {}").format(name, sql.SQL(setting), value))
        superuser.execute("SET ROLE audit_owner")
        superuser.execute(_TRIGGERS)
        superuser.execute("RESET ROLE")
        connections.close_all()
        tables = [*(table for kind in KINDS for table in kind.tables), OUTBOX]
        with tracked_dossiers(), ChangeLog(superuser, tables) as log, Player(opened) as player:
            yield Witness(log, player, superuser)
    connections.close_all()
    # The owner could not end the autovacuum that may be at work here.
    with _connected("postgres", SUPERUSER, SUPERUSER) as superuser:
        superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def _connected(database: str, user: str, password: str) -> psycopg.Connection:
    default = connections["default"].settings_dict
    return psycopg.connect(
        host=default["HOST"], port=default["PORT"], user=user, password=password, dbname=database, autocommit=True,
        prepare_threshold=None,
    )  # fmt: skip


def _values(
    name: str, sort: str, choices: Sequence[str] | None, least: str | None, most: str | None, usual: str | None
) -> tuple[str, ...]:
    if sort == "bool":
        return ("on", "off")
    if choices:
        return tuple(choices)
    if sort == "string":
        return _TEXTS.get(name, ())
    return tuple(value for value in (least, most, usual) if value is not None)


def _asked_for(program: Program, keys: Keys) -> set[str]:
    """Articles of which the program, anywhere in it, asks to record a save that changes nothing."""
    is_asked = any("record" in str(step.what) for step in program)
    return {f"{ARTICLE.name}:{pk}" for pk in keys.articles} if is_asked else set()


# Of what goes wrong inside capture's functions, these are conflicts with others and refusals of what was asked of it.
_CONFLICTS = ("25006", "22023", "55P03", "57014")


def _broken_by_capture(failures: Sequence[BaseException]) -> Iterator[Finding]:
    """A save that fails because of the trail."""
    for failure in failures:
        cause = failure if isinstance(failure, psycopg.Error) else failure.__cause__
        if not isinstance(cause, psycopg.Error):
            continue
        place, state = cause.diag.context or "", cause.sqlstate or ""
        if "audit_" in place and state not in _CONFLICTS and not state.startswith("40"):
            yield Finding("", f"a statement fails in capture: {state} {cause} {place}")
