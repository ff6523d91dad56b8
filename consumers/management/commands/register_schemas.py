"""manage.py register_schemas"""

import httpx
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.error import SchemaRegistryError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audittrail import contracts
from audittrail.contracts import compatibility
from audittrail.env.addresses import without_credentials
from consumers import conf
from consumers.kafka import schema_registry

COMPATIBILITY = ConfigCompatibilityLevel.BACKWARD_TRANSITIVE


class Command(BaseCommand):
    help = (
        "Registers every kept version of the contracts (audittrail/contracts) in the schema registry, under "
        f"<topic>-value, with compatibility {COMPATIBILITY.value}. A change that some version could not read, in "
        "either direction, is refused by field and rule. What is registered already stays as it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="register nothing; exit status 1 if anything is incompatible or not registered",
        )

    def handle(self, *, check: bool, **options: object) -> None:
        self._demand_compatible()
        try:
            pending = [(contract, version) for contract in contracts.contracts() for version in self._missing(contract)]
            if check:
                self._check(pending)
            else:
                self._register(pending)
        except SchemaRegistryError as error:
            raise CommandError(without_credentials(f"The schema registry refuses: {error}")) from error
        except httpx.HTTPError as error:
            raise CommandError(
                without_credentials(
                    f"The schema registry at {conf.schema_registry_url()} does not answer: {error}. Is it running?"
                )
            ) from error

    def _demand_compatible(self) -> None:
        conflicts = [
            f"{contract}: {conflict}"
            for contract in contracts.contracts()
            if contracts.schema_type(contract) == "AVRO"
            for conflict in compatibility.check(contract)
        ]
        if conflicts:
            raise CommandError("Incompatible:\n" + "\n".join(conflicts))

    def _missing(self, contract: str) -> list[int]:
        subject, missing = _subject(contract), []
        for version in contracts.versions(contract):
            identifier = _registered(subject, contract, version)
            self.stdout.write(
                f"{subject} version {version}: {f'registered, id {identifier}' if identifier else 'to be registered'}"
            )
            if not identifier:
                missing.append(version)
        return missing

    def _check(self, pending: list[tuple[str, int]]) -> None:
        client = schema_registry.client()
        for contract, version in pending:
            if not _compatible(client, contract, version):
                parts = "; ".join(contracts.differences(contract, version))
                raise CommandError(
                    f"{_subject(contract)}: the registry finds version {version} incompatible with those registered "
                    f"({COMPATIBILITY.value}). It differs from the version before in: {parts or 'nothing'}."
                )
        if pending:
            raise CommandError(f"{len(pending)} version(s) not registered: run manage.py register_schemas.")

    def _register(self, pending: list[tuple[str, int]]) -> None:
        client = schema_registry.client()
        _demand_compatibility(client)
        for contract, version in pending:
            identifier = client.register_schema(_subject(contract), schema_registry.schema_of(contract, version))
            self.stdout.write(
                self.style.SUCCESS(f"{_subject(contract)} version {version}: registered, id {identifier}")
            )
        for contract in contracts.contracts():
            _demand_compatibility(client, _subject(contract))


def _demand_compatibility(client: SchemaRegistryClient, subject: str | None = None) -> None:
    """Set the compatibility of a subject, or of all that say nothing else."""
    try:
        client.set_config(subject, ServerConfig(compatibility=COMPATIBILITY))
    except SchemaRegistryError as error:
        if error.http_status_code != 409:  # somebody else has just done the same
            raise


def _subject(contract: str) -> str:
    return conf.subject(f"{conf.prefix()}{contract}")


def _registered(subject: str, contract: str, version: int) -> int | None:
    try:
        return schema_registry.client().lookup_schema(subject, schema_registry.schema_of(contract, version)).schema_id
    except SchemaRegistryError as error:
        if error.http_status_code == 404:
            return None
        raise


def _compatible(client: SchemaRegistryClient, contract: str, version: int) -> bool:
    try:
        return client.test_compatibility_all_versions(_subject(contract), schema_registry.schema_of(contract, version))
    except SchemaRegistryError as error:
        if error.http_status_code == 404:  # nothing registered yet: nothing to contradict
            return True
        raise
