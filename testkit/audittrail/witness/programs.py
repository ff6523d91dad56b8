"""Random programs: what several sessions of a site may do to a few articles, step by step in one order.

A statement names keys of the program's own: $a0 … articles, $d0 … dossiers, $t0 … tags, $p0 … authors, $s0 a section;
$l0 … long texts; and $g0 … names of prepared transactions.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from hypothesis import strategies as st

Strategy = st.SearchStrategy

ARTICLES, TAGS, AUTHORS, DOSSIERS = 3, 3, 2, 2
FIRST, SECOND, SITE, OWNER = "first", "second", "site", "owner"
"""Who takes a step: two sessions of the application's role, Django with that role, and a session of the owner."""


@dataclass(frozen=True)
class Statement:
    """Statements of SQL, sent as one; copied: the rows that follow, where it is COPY."""

    sql: str
    copied: str | None = None


@dataclass(frozen=True)
class Act:
    """Something done through Django's models to an article; name: of a function of `player`."""

    name: str
    article: int
    word: str


@dataclass(frozen=True)
class Within:
    """Acts and contexts inside a context of an actor; where it fails, it is undone."""

    actor: str
    inside: tuple["Act | Within", ...]
    fails: bool


class Step(NamedTuple):
    who: str
    what: Statement | Within


Program = list[Step]


class Setting(NamedTuple):
    """A setting that the application's role may set, and values to try."""

    name: str
    values: Sequence[str]


def literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def alike(*strategies: Strategy) -> Strategy:
    """One of these, each as often as any other; `one_of` would count what each of them chooses among."""
    return st.integers(0, len(strategies) - 1).flatmap(strategies.__getitem__)


def filled(template: str, **parts: Strategy[str]) -> Strategy[str]:
    """A template of str.format with what is drawn in its places."""
    return st.fixed_dictionaries(parts).map(lambda drawn: template.format(**drawn))


# Stored out of line, and not to be compressed much.
LONG = "".join(chr(97 + (n * n * 7 + n // 9) % 25) for n in range(9000))
LONG_TEXTS = (LONG, LONG[::-1])

words = st.sampled_from(["", "a", "A", "b", "it's", "Ünï 😀", "two\nlines", "null", "[1]", '{"a": 1}'])
word = words.map(literal)
text = word | st.sampled_from(["'$l0'", "'$l1'"])
# The first article most often, so that sessions meet.
article = alike(st.just(0), st.integers(0, ARTICLES - 1)).map("$a{}".format)
tag = st.integers(0, TAGS - 1).map("$t{}".format)
author = st.integers(0, AUTHORS - 1).map("$p{}".format)
position = st.integers(0, 2).map(str)
status = st.sampled_from(["'draft'", "'in_review'", "'published'"])
time = st.sampled_from(
    [
        "NULL",
        "now()",
        "'infinity'",
        "'-infinity'",
        "'0044-03-15 12:00 BC'",
        "'2026-11-26 10:00+02'",
        "'12026-01-01 UTC'",
    ]
)

assignment = st.one_of(
    filled("headline = {to}", to=word),
    filled("headline = left(headline || {to}, 300)", to=word),
    filled("body = {to}", to=text),
    filled("body = left(body, 20000) || {to}", to=word),
    filled("standfirst = {to}", to=word),
    filled("slug = id || '-' || {to}", to=word),
    filled("status = {to}", to=status),
    filled("published_at = {to}", to=time),
    filled("section_id = {to}", to=st.sampled_from(["NULL", "$s0"])),
    filled("source_path = {to}", to=word),
    st.sampled_from(["updated_at = now()", "external_id = NULL", "external_id = 'by-trigger-' || id"]),
)
assignments = st.lists(assignment, min_size=1, max_size=3, unique_by=lambda each: each.split()[0]).map(", ".join)

_COLUMNS = (
    "id, headline, slug, body, standfirst, status, body_format, source_path, source_status, created_at, updated_at"
)
_ROW = "{key}, {headline}, {key} || '-new', {body}, '', {status}, 'html', '', '', now(), now()"
row = {"key": article, "headline": word, "body": text, "status": status}

# One statement that takes the rows of an article's relations along.
_DELETION = (
    "WITH t AS (DELETE FROM public.newsroom_article_tags WHERE article_id = {a}), "
    "c AS (DELETE FROM public.newsroom_credit WHERE article_id = {a}) "
    "DELETE FROM public.newsroom_article WHERE id = {a}"
)
_RENAMING = (
    "WITH free AS (SELECT WHERE NOT EXISTS (SELECT FROM public.newsroom_article WHERE id = {b})), "
    "t AS (UPDATE public.newsroom_article_tags SET article_id = {b} FROM free WHERE article_id = {a}), "
    "c AS (UPDATE public.newsroom_credit SET article_id = {b} FROM free WHERE article_id = {a}) "
    "UPDATE public.newsroom_article SET id = {b}, slug = {b} || '-renamed' FROM free WHERE id = {a}"
)

update = filled("UPDATE public.newsroom_article SET {to} WHERE id = {a}", to=assignments, a=article)

of_articles = st.one_of(
    update,
    update,
    filled("UPDATE public.newsroom_article SET {to} WHERE id IN ({a}, {b})", to=assignments, a=article, b=article),
    filled(f"INSERT INTO public.newsroom_article ({_COLUMNS}) VALUES ({_ROW}) ON CONFLICT DO NOTHING", **row),
    filled(
        f"INSERT INTO public.newsroom_article ({_COLUMNS}) VALUES ({_ROW}) ON CONFLICT (id) DO UPDATE SET "
        "headline = excluded.headline, body = excluded.body",
        **row,
    ),
    filled(
        "MERGE INTO public.newsroom_article a USING (VALUES ({key}::bigint)) v (id) ON a.id = v.id "
        "WHEN MATCHED AND a.status = 'draft' THEN UPDATE SET {to} WHEN MATCHED THEN DELETE "
        f"WHEN NOT MATCHED THEN INSERT ({_COLUMNS}) VALUES ({_ROW})",
        **row,
        to=assignments.filter(lambda to: "id || " not in to and "headline ||" not in to and "left(" not in to),
    ),
    filled(_DELETION, a=article),
    filled(_RENAMING, a=article, b=article),
    filled("SELECT 1 FROM public.newsroom_article WHERE id = {a} FOR UPDATE", a=article),
)

_TAG = "INSERT INTO public.newsroom_article_tags (article_id, tag_id) SELECT id, {t}"
_IS_ARTICLE = "EXISTS (SELECT FROM public.newsroom_article WHERE id = {b})"

of_relations = st.one_of(
    filled(f"{_TAG} FROM public.newsroom_article WHERE id = {{a}} ON CONFLICT DO NOTHING", a=article, t=tag),
    filled("DELETE FROM public.newsroom_article_tags WHERE article_id = {a} AND tag_id <> {t}", a=article, t=tag),
    filled(
        "UPDATE public.newsroom_article_tags SET tag_id = {t} WHERE article_id = {a} AND tag_id = {u} AND NOT EXISTS "
        "(SELECT FROM public.newsroom_article_tags WHERE article_id = {a} AND tag_id = {t})",
        a=article,
        t=tag,
        u=tag,
    ),
    filled(
        f"UPDATE public.newsroom_article_tags SET article_id = {{b}} WHERE article_id = {{a}} AND {_IS_ARTICLE} "
        "AND tag_id NOT IN (SELECT tag_id FROM public.newsroom_article_tags WHERE article_id = {b})",
        a=article,
        b=article,
    ),
    filled(
        "INSERT INTO public.newsroom_credit (article_id, author_id, position) "
        "SELECT id, {p}, {n} FROM public.newsroom_article WHERE id = {a} "
        "ON CONFLICT (article_id, author_id) DO UPDATE SET position = excluded.position",
        a=article,
        p=author,
        n=position,
    ),
    filled("UPDATE public.newsroom_credit SET position = 2 - position WHERE article_id = {a}", a=article),
    filled(
        f"UPDATE public.newsroom_credit SET article_id = {{b}} WHERE article_id = {{a}} AND {_IS_ARTICLE} "
        "AND author_id NOT IN (SELECT author_id FROM public.newsroom_credit WHERE article_id = {b})",
        a=article,
        b=article,
    ),
    filled("DELETE FROM public.newsroom_credit WHERE article_id = {a} AND author_id = {p}", a=article, p=author),
    filled(
        "WITH changed AS (UPDATE public.newsroom_article SET {to} WHERE id = {a} RETURNING id) "
        f"{_TAG} FROM changed ON CONFLICT DO NOTHING",
        to=assignments,
        a=article,
        t=tag,
    ),
)

dossier = st.integers(0, DOSSIERS - 1).map("'$d{}'".format)

# Values of which some are equal, or nearly, and yet read differently.
_VALUES = {
    "amount": ["1", "1.0", "1.00", "'NaN'", "'Infinity'", "1e-20", "NULL"],
    "ratio": ["0", "'-0'", "0.1", "0.1::float8 + 0.2", "'NaN'", "NULL"],
    "data": ["""'{"a": 1}'""", """'{"a": 1.0}'""", """'{"a":1,"b":[null]}'""", "'null'", "NULL"],
    "raw": ["""'{"a": 1}'""", """'{"a":1}'""", "NULL"],
    "name": ["'one'", "'One'", "'ONE'", "''", "NULL"],
    "span": ["'1 day'", "'24 hours'", "'1 mon -1 day'", "'30 days'", "NULL"],
    "period": [
        "'[2026-01-01 00:00+00,)'",
        "'[2026-01-01 00:00+00,infinity)'",
        "'empty'",
        "tstzrange(now(), NULL)",
        "NULL",
    ],
    "moments": ["'{2026-11-26 10:00+02}'", "'{}'", "ARRAY[now(), NULL]", "'{infinity}'", "NULL"],
    "local": ["'2026-11-26 10:00'", "now()", "'infinity'", "NULL"],
    "day": ["'2026-02-03'", "'0044-03-15 BC'", "'-infinity'", "NULL"],
    "hour": ["'10:00+02'", "'08:00+00'", "NULL"],
    "bytes": [r"'\x00ff'", "''", "NULL"],
    "price": ["1.5::numeric", "-1000.25::numeric", "NULL"],
    "note": ["'one'", "'One'", "repeat('One ', 4000)", "repeat('one ', 4000)", "''", "NULL"],
}
of_column = {name: st.sampled_from(values) for name, values in _VALUES.items()}
columns = st.lists(
    alike(*[values.map(f"{name} = {{}}".format) for name, values in of_column.items()]),
    min_size=1,
    max_size=4,
    unique_by=lambda each: each.split()[0],
).map(", ".join)
caption = st.sampled_from(
    ["caption = 'a'", "caption = 'A'", "weight = 1.0", "weight = 1.00", "text = 'long'", "place = 1"]
)

of_dossiers = st.one_of(
    filled("UPDATE public.dossier SET {to} WHERE code = {d}", d=dossier, to=columns),
    filled("UPDATE public.dossier SET {to}", to=columns).map(lambda sql: f"{sql} WHERE code IN ('$d0', '$d1')"),
    filled("INSERT INTO public.dossier (code, name) VALUES ({d}, 'new') ON CONFLICT DO NOTHING", d=dossier),
    filled("DELETE FROM public.dossier WHERE code = {d}", d=dossier),
    filled(
        "UPDATE public.dossier SET code = {e} WHERE code = {d} AND NOT EXISTS "
        "(SELECT FROM public.dossier WHERE code = {e})",
        d=dossier,
        e=dossier,
    ),
    filled(
        "INSERT INTO public.exhibit (dossier_id, place, caption, text) SELECT code, {n}, 'new', {w} "
        "FROM public.dossier WHERE code = {d}",
        d=dossier,
        n=position,
        w=text,
    ),
    filled("UPDATE public.exhibit SET {to} WHERE dossier_id = {d}", d=dossier, to=caption),
    filled(
        "UPDATE public.exhibit SET dossier_id = (SELECT code FROM public.dossier WHERE code = {e}) "
        "WHERE dossier_id = {d}",
        d=dossier,
        e=dossier,
    ),
    filled("DELETE FROM public.exhibit WHERE dossier_id = {d} AND place = {n}", d=dossier, n=position),
)

change = alike(of_articles, of_articles, of_relations, of_dossiers)

# Subtransactions, and changes from within functions.
indirect = st.one_of(
    filled(
        "DO $$ BEGIN {one}; BEGIN {two}; RAISE EXCEPTION 'undone'; "
        "EXCEPTION WHEN raise_exception THEN {three}; END; END $$",
        one=update,
        two=update,
        three=update,
    ),
    filled(
        "DO $$ BEGIN BEGIN {one}; SET CONSTRAINTS ALL IMMEDIATE; RAISE EXCEPTION 'undone'; "
        "EXCEPTION WHEN raise_exception THEN NULL; END; {two}; END $$",
        one=update,
        two=update,
    ),
    filled(
        "CREATE OR REPLACE FUNCTION pg_temp.helper() RETURNS void LANGUAGE sql SET search_path = pg_temp AS "
        "$$ {one}; {two} $$; SELECT pg_temp.helper()",
        one=update,
        two=update,
    ),
    filled(
        "DECLARE chosen NO SCROLL CURSOR FOR SELECT * FROM public.newsroom_article WHERE id = {a} FOR UPDATE; "
        "FETCH chosen; UPDATE public.newsroom_article SET {to} WHERE CURRENT OF chosen; CLOSE chosen",
        a=article,
        to=assignments,
    ),
    # Several statements sent as one are one transaction.
    filled("{one}; {two}; SET CONSTRAINTS ALL IMMEDIATE; {three}", one=update, two=change, three=change),
)

ACTORS = ("kim", "ada")


def context_of(actor: str) -> str:
    """The text of a context, as audittrail.context writes it."""
    return json.dumps({"actor": {"type": "user", "id": actor}, "context": {"channel": "web"}, "occurred_at": None})


context = st.sampled_from(["", *map(context_of, ACTORS)]).map(literal)

# What talks to capture, or tries to talk it out of its work.
of_capture = alike(
    filled("SELECT audit_enter({to})", to=context),
    st.sampled_from(["SELECT audit_fold_now()"] * 4 + ["SELECT audit_enter('{}')"]),
    filled("SELECT audit_record_save('newsroom.article', '{a}')", a=article),
    filled(
        "SELECT set_config('audit.context', {to}, {local})",
        to=context | st.sampled_from(["'{}'", "'[1]'", "'no json'"]),
        local=st.sampled_from(["true", "false"]),
    ),
    filled(
        "SELECT set_config('{name}', pg_current_xact_id()::text, {local})",
        name=st.sampled_from(["audit.leading", "audit.fold_waits_in"]),
        local=st.sampled_from(["true", "false"]),
    ),
    filled(
        "SET CONSTRAINTS {names} {when}",
        names=st.sampled_from(["ALL", "audit_fold", "public.audit_fold"]),
        when=st.sampled_from(["IMMEDIATE", "DEFERRED"]),
    ),
)

shadow = st.sampled_from(
    [
        "CREATE TEMP TABLE IF NOT EXISTS audit_touched (xid xid8, article_id text)",
        "CREATE TEMP TABLE IF NOT EXISTS audittrail_head (article_id text, alive boolean)",
        "CREATE TEMP TABLE IF NOT EXISTS audittrail_outboxevent (id bigint)",
        "CREATE TEMP TABLE IF NOT EXISTS newsroom_article_tags (article_id bigint, tag_id bigint)",
        "CREATE TEMP VIEW audittrail_actorversion AS SELECT 'kim' AS actor_id, 7 AS version",
        "CREATE TYPE pg_temp.audit_state AS (object_pk text)",
        "CREATE DOMAIN pg_temp.jsonb AS text",
        "CREATE OR REPLACE FUNCTION pg_temp.audit_fold_now() RETURNS void LANGUAGE sql AS ''",
        "CREATE OR REPLACE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$",
        "SET search_path = pg_temp, public",
        "SET LOCAL search_path = ''",
        "SET search_path = pg_temp, pg_catalog",
        "SET client_encoding = 'LATIN1'",
        "DISCARD PLANS",
        "DISCARD TEMP",
        "DISCARD ALL",
        "RESET ALL",
        "SET TRANSACTION READ ONLY",
        "ANALYZE public.newsroom_article",
        "NOTIFY anything",
    ]
)

copied = st.one_of(
    st.builds(
        lambda a, t: Statement("COPY public.newsroom_article_tags (article_id, tag_id) FROM STDIN", f"{a}\t{t}\n"),
        article,
        tag,
    ),
    st.builds(
        lambda a, w: Statement(
            f"COPY public.newsroom_article ({_COLUMNS}) FROM STDIN (FORMAT csv)",
            f'{a},"{w}",{a}-copied,$l0,"",draft,html,"","",2026-11-26 10:00+00,2026-11-26 10:00+00\n',
        ),
        article,
        st.sampled_from(["copied", "Kopie"]),
    ),
    st.builds(
        lambda a, p, n: Statement(
            "COPY public.newsroom_credit (article_id, author_id, position) FROM STDIN", f"{a}\t{p}\t{n}\n"
        ),
        article,
        author,
        position,
    ),
)


def setting(settings: Sequence[Setting]) -> Strategy[str]:
    """A setting set to a value, for the session or the transaction."""
    one = st.sampled_from(settings).flatmap(
        lambda each: st.sampled_from(each.values).map(lambda value: f"{each.name} = {literal(value)}")
    )
    return filled("SET {scope} {to}", scope=st.sampled_from(["SESSION", "LOCAL"]), to=one)


def statement(settings: Sequence[Setting]) -> Strategy[Statement]:
    sql = alike(*[change] * 8, *[of_capture] * 4, *[indirect] * 2, setting(settings), shadow).map(Statement)
    return alike(*[sql] * 20, copied)


Block = list[Statement]


def block(content: Strategy[Statement], depth: int) -> Strategy[Block]:
    """Statements one after the other, some of them after savepoints that are kept or not."""
    plain = st.lists(content, min_size=1, max_size=4)
    if depth == 0:
        return plain
    ends = st.sampled_from(["ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT", ""])
    nested = st.builds(
        lambda inside, end: [
            Statement(f"SAVEPOINT s{depth}"),
            *inside,
            *([Statement(f"{end} s{depth}")] if end else []),
        ],
        block(content, depth - 1),
        ends,
    )
    return st.lists(alike(plain, nested), min_size=1, max_size=3).map(
        lambda parts: [each for part in parts for each in part]
    )


_BEGINS = ("BEGIN", "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN ISOLATION LEVEL SERIALIZABLE DEFERRABLE")
_ENDS = (
    *[("COMMIT",)] * 6,
    ("SET CONSTRAINTS ALL IMMEDIATE", "COMMIT"),
    ("COMMIT AND CHAIN", "COMMIT"),
    ("ROLLBACK",),
    ("PREPARE TRANSACTION '{name}'", "COMMIT PREPARED '{name}'"),
    ("PREPARE TRANSACTION '{name}'", "ROLLBACK PREPARED '{name}'"),
)


def transaction(content: Strategy[Statement], name: str) -> Strategy[Block]:
    """A transaction; name: of its own, for where it is prepared."""
    return st.builds(
        lambda begin, inside, end: [Statement(begin), *inside, *(Statement(each.format(name=name)) for each in end)],
        st.sampled_from(_BEGINS),
        block(content, 2),
        st.sampled_from(_ENDS),
    )


def of_session(who: str, settings: Sequence[Setting], name: str) -> Strategy[list[Step]]:
    content = statement(settings)
    alone = content.map(lambda one: [one])
    parts = st.lists(alike(transaction(content, name), transaction(content, name), alone), max_size=3)
    return parts.map(lambda blocks: [Step(who, each) for each in chain.from_iterable(blocks)])


def of_site() -> Strategy[list[Step]]:
    names = st.sampled_from(["save", "set_tags", "set_credits", "update", "delete", "create", "bulk_update", "record"])
    act = st.builds(Act, names, st.integers(0, ARTICLES - 1), words)

    def within(inside: Strategy) -> Strategy[Within]:
        fails = st.sampled_from([False, False, False, True])
        return st.builds(Within, st.sampled_from(ACTORS), st.lists(inside, min_size=1, max_size=3).map(tuple), fails)

    return st.lists(within(alike(act, act, within(act))).map(lambda what: Step(SITE, what)), max_size=2)


ddl = st.sampled_from(
    [
        "ALTER TABLE newsroom_article ADD COLUMN IF NOT EXISTS more text NOT NULL DEFAULT 'x'",
        "ALTER TABLE newsroom_article DROP COLUMN IF EXISTS more",
        "ALTER TABLE newsroom_article ALTER created_at SET DEFAULT now()",
        "CREATE INDEX IF NOT EXISTS of_source ON newsroom_article (source_path)",
        "DROP INDEX IF EXISTS of_source",
        "ANALYZE newsroom_credit",
    ]
)


def merged(parts: Sequence[list[Step]], choices: Sequence[int]) -> Program:
    """The steps of all parts, each part in its order; choices: which part is next."""
    left, program = [list(part) for part in parts], Program()
    for choice in choices:
        if left[choice]:
            program.append(left[choice].pop(0))
    return [*program, *(step for part in left for step in part)]


def programs(settings: Sequence[Setting]) -> Strategy[Program]:
    """Programs of two sessions, the site and the owner."""
    parts = st.tuples(
        of_session(FIRST, settings, "$g0"),
        of_session(SECOND, settings, "$g1"),
        of_site(),
        st.lists(ddl.map(lambda sql: Step(OWNER, Statement(sql))), max_size=1),
    )
    return st.builds(merged, parts, st.lists(st.sampled_from([0, 0, 0, 1, 1, 1, 2, 3]), min_size=10, max_size=60))
