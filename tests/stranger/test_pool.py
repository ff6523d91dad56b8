"""Two clients of a pool in transaction mode share its connections: no actor leaks into another's transaction."""

from collections.abc import Iterator

import pytest

from tests.stranger.conftest import Session

pytestmark = pytest.mark.service

ENTER = """
transactions = ExitStack()
transactions.enter_context(context(actor=Actor('service', {name!r})))
a.body += 'x'; a.save()
"""
LEAVE = "a.title += '!'; a.save(); transactions.close()"
ROUNDS = 4


@pytest.fixture(scope="module")
def sessions(site) -> Iterator[dict[str, Session]]:
    """Two clients by name."""
    with site.session() as first, site.session() as second:
        yield {"first": first, "second": second}


@pytest.fixture
def clients(sessions) -> dict[str, Session]:
    """The two, each with an article of its own as `a`."""
    for name, session in sessions.items():
        session.run(f"a = Article.objects.create(title='By {name}', number=uuid.uuid4().hex[:20])")
    return sessions


def actors(site, client) -> list[tuple[str, str]]:
    """Who made the events of the client's article after its creation."""
    events = site.events(client.run("answer = article_id(a)"))[1:]
    return [(event["actor_type"], event["actor_id"]) for event in events]


def test_interleaved_transactions_have_their_own_actors(site, clients):
    for turn in range(ROUNDS):
        # Who comes first takes turns, so that each client has had each connection.
        names = sorted(clients, reverse=bool(turn % 2))
        for name in names:
            clients[name].run(ENTER.format(name=name))
        for name in clients:
            clients[name].run(LEAVE)
    for name, client in clients.items():
        assert actors(site, client) == [("service", name)] * ROUNDS


def test_a_save_without_context_on_a_connection_that_another_has_stamped_is_nobody_s(site, clients):
    first, second = clients.values()
    for _ in range(ROUNDS):
        first.run(ENTER.format(name="first") + LEAVE)
        second.run("a.title += '!'; a.save()")
    assert actors(site, first) == [("service", "first")] * ROUNDS
    assert actors(site, second) == [("unknown", f"database:{site.application}")] * ROUNDS


def test_a_transaction_that_failed_leaves_its_actor_to_nobody(site, clients):
    first, second = clients.values()
    first.run(ENTER.format(name="first") + "transaction.set_rollback(True); transactions.close()")
    second.run("a.title += '!'; a.save()")
    assert actors(site, first) == []
    assert actors(site, second) == [("unknown", f"database:{site.application}")]


def test_clients_do_share_connections(site, clients):
    """Otherwise nothing above is proven."""
    ask = "c = connection.cursor(); c.execute('SELECT pg_backend_pid()'); answer = c.fetchone()[0]"
    first, second = (client.run(ask) for client in clients.values())
    assert first == second
