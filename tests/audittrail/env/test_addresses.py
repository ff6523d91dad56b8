"""An address that is shown has no credentials."""

import pytest

from audittrail.env.addresses import without_credentials


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://host:9200", "http://host:9200"),
        ("https://elastic:s3cret@host:9200/path", "https://host:9200/path"),
        ("https://token@host", "https://host"),
        ("redis://:s3cret@host:6379/0", "redis://host:6379/0"),
        ("http://user:s3/cr@t?e#t@host:8081/x", "http://host:8081/x"),
        ("http://a:s3cret@one:1,http://b:s3cret@two:2", "http://one:1,http://two:2"),
        ("redis://host/0?password=s3cret&db=1", "redis://host/0?password=…&db=1"),
        ("https://host/?access_token=s3cret", "https://host/?access_token=…"),
        ("broker-1:9092,broker-2:9092", "broker-1:9092,broker-2:9092"),
    ],
)
def test_an_address_without_its_credentials(address, shown):
    assert without_credentials(address) == shown


def test_an_error_of_a_library_that_quotes_the_address():
    error = "Client error '401' for url 'http://user:s3cret@registry/subjects', ask desk@example.org"
    assert without_credentials(error) == "Client error '401' for url 'http://registry/subjects', ask desk@example.org"
