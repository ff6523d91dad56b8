"""The functions of capture that are the same for all models, read from the files in `sql`.

A file holds comments and statements of one form, nothing else:

    CREATE OR REPLACE FUNCTION name(arguments) RETURNS type LANGUAGE name options AS $$ body $$;
"""

import re
from collections.abc import Iterable
from importlib.resources import files

from audittrail import conf
from audittrail.capture.expressions import literal, quoted
from audittrail.capture.objects import Function, settings

_FILES = ("encoding", "touch", "context", "fold", "fold_ordinary", "fold_short", "fold_general", "upkeep")

PINNED = {
    # A value has the same text in every session.
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "standard_conforming_strings": "on",
    # A row that a policy would hide from the owner is an error, not an article that is gone.
    "row_security": "off",
    # One plan for all calls, by keys, whatever the statistics say.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "jit": "off",
}
"""What capture's functions pin, whatever the session has set."""

_FUNCTION = re.compile(
    r"CREATE OR REPLACE FUNCTION (?P<name>\w+)\((?P<arguments>[^()]*)\)\s+RETURNS (?P<returns>[^$]+?)\s+"
    r"LANGUAGE (?P<language>\w+)(?P<options>[^$]*?)\s+AS \$\$(?P<body>.*?)\$\$;",
    re.DOTALL,
)
_BETWEEN = re.compile(r"(?:\s+|--[^\n]*(?:\n|$))*")
_OPTION = re.compile(
    r"(?P<volatility>VOLATILE|STABLE|IMMUTABLE)|(?P<parallel_safe>PARALLEL SAFE)|(?P<definer>SECURITY DEFINER)"
    r"|SET (?P<name>\w+) = (?P<value>\"(?:[^\"]|\"\")+\", \w+|'[^']*'|\w+)"
)

# As the catalogue prints them.
_TYPES = {"timestamptz": "timestamp with time zone", "int": "integer", "bool": "boolean"}


def static_functions(namespace: str) -> list[Function]:
    """The functions in the trail's schema."""
    return [function for name in _FILES for function in parsed(_text(name, namespace), f"{name}.sql")]


def parsed(text: str, file: str) -> list[Function]:
    """The functions that a file creates.  Raises ValueError naming the file and line of what is no such statement."""
    found = []
    at = _end_of(_BETWEEN.match(text))
    while at < len(text):
        statement = _FUNCTION.match(text, at)
        if statement is None:
            raise _not_understood(text, at, file)
        found.append(_function(statement, file))
        at = _end_of(_BETWEEN.match(text, statement.end()))
    return found


def _text(name: str, namespace: str) -> str:
    pinned = " ".join(f"SET {setting} = {literal(value)}" for setting, value in PINNED.items())
    text = files("audittrail.capture.sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")
    return (
        text.replace("@settings@", pinned)
        .replace("@schema@", quoted(namespace))
        .replace("@keyframe_interval@", str(conf.keyframe_interval()))
    )


def _function(statement: re.Match[str], file: str) -> Function:
    options = _options(statement["options"], f"{file}: {statement['name']}")
    return Function(
        name=statement["name"],
        arguments=_printed(statement["arguments"]),
        returns=_printed(statement["returns"]).replace("TABLE (", "TABLE("),
        language=statement["language"],
        body=statement["body"],
        volatility=next((each["volatility"] for each in options if each["volatility"]), "VOLATILE"),
        parallel_safe=any(each["parallel_safe"] for each in options),
        security_definer=any(each["definer"] for each in options),
        settings=settings((each["name"], each["value"].strip("'")) for each in options if each["name"]),
    )


def _options(text: str, where: str) -> list[re.Match[str]]:
    found, rest = [], text.strip()
    while rest:
        option = _OPTION.match(rest)
        if option is None:
            raise ValueError(f"{where}: {rest.splitlines()[0]!r} is no option of a function that is known here.")
        found.append(option)
        rest = rest[option.end() :].strip()
    return found


def _printed(text: str) -> str:
    """Arguments or a type as the catalogue prints them."""
    return re.sub(r"\w+", lambda word: _TYPES.get(word[0], word[0]), " ".join(text.split()))


def _end_of(match: re.Match[str] | None) -> int:
    return match.end() if match else 0


def _not_understood(text: str, at: int, file: str) -> ValueError:
    line = text.count("\n", 0, at) + 1
    return ValueError(f"{file}, line {line}: {text[at:].splitlines()[0]!r} is no CREATE OR REPLACE FUNCTION … AS $$.")


def pinned_settings(namespace: str) -> Iterable[tuple[str, str]]:
    """What a function that reads or writes articles sets: where names are looked up, and what makes texts the same."""
    return [("search_path", f"{namespace}, pg_temp"), *PINNED.items()]
