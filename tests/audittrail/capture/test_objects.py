"""Objects of capture have names that fit and are theirs alone; its SQL files hold nothing that is not understood."""

import pytest

from audittrail.capture.names import function_name, trigger_name
from audittrail.capture.static_functions import parsed, static_functions

LONG = "publishing.longformexplanatoryarticle"


def test_a_name_reads_as_kind_and_part():
    assert function_name("audit_touch", "newsroom.article", "tags") == "audit_touch_newsroom_article_tags"


@pytest.mark.parametrize(
    "part", ["", "tags", "contributing_photographers_and_illustrators_of_the_print_edition", "ü" * 80]
)
def test_a_name_has_63_bytes_at_most_and_its_trigger_too(part):
    assert len(trigger_name(function_name("audit_touch", LONG, part)).encode()) <= 63


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("blog.post_tag", ""), ("blog.post", "tag")),
        (("blog_post.tag", ""), ("blog.post_tag", "")),
        (("blog.Post", ""), ("blog.post", "")),
        (("again", ""), ("blog.again", "")),
        ((LONG, "contributing_photographers_one"), (LONG, "contributing_photographers_two")),
        ((LONG * 3, "one"), (LONG * 3, "two")),
    ],
)
def test_two_things_never_have_one_name(one, other):
    assert function_name("audit_touch", *one) != function_name("audit_touch", *other)


def test_no_generated_name_is_that_of_a_function_of_all_models():
    assert function_name("audit_touch", "again") not in {each.name for each in static_functions("public")}


def test_a_function_is_read_as_the_catalogue_prints_it():
    (function,) = parsed(
        """-- What it is for.
CREATE OR REPLACE FUNCTION audit_x(moment timestamptz,
  ids text[]) RETURNS TABLE (id text) LANGUAGE sql STABLE PARALLEL SAFE
SECURITY DEFINER SET search_path = "public", pg_temp SET datestyle = 'ISO, MDY' SET jit = off AS $$
  SELECT 1
$$;
""",
        "x.sql",
    )
    assert function.signature == ("audit_x", "moment timestamp with time zone, ids text[]", "TABLE(id text)")
    assert (function.language, function.volatility, function.parallel_safe) == ("sql", "STABLE", True)
    assert function.security_definer
    assert function.settings == (("datestyle", "ISO, MDY"), ("jit", "off"), ("search_path", "public, pg_temp"))
    assert function.body == "\n  SELECT 1\n"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("\nDROP TABLE x;\n", "x.sql, line 2: 'DROP TABLE x;'"),
        ("CREATE FUNCTION a() RETURNS void LANGUAGE sql AS $$ $$;", "line 1"),
        ("CREATE OR REPLACE FUNCTION a() RETURNS void LANGUAGE sql LEAKPROOF AS $$ $$;", "x.sql: a: 'LEAKPROOF'"),
        ("CREATE OR REPLACE FUNCTION a() RETURNS void LANGUAGE sql AS $$ $$;\nSELECT 1;", "line 2: 'SELECT 1;'"),
    ],
)
def test_what_is_no_function_is_refused_by_file_and_line(text, named):
    with pytest.raises(ValueError, match=named.replace("(", r"\(")):
        parsed(text, "x.sql")
