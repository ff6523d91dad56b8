"""The schema registry: Apicurio, which speaks Confluent's protocol, on the stack's PostgreSQL."""

from collections.abc import Mapping

from stack import endpoints, java, places, versions
from stack.services.service import Service, http_status


class Registry(Service):
    name = "registry"
    version = versions.REGISTRY.version
    megabytes = 320
    download = versions.REGISTRY
    needs = ("postgres",)

    @property
    def ports(self) -> tuple[int, ...]:
        return self.stack.base + endpoints.REGISTRY, self.stack.base + endpoints.REGISTRY_MANAGEMENT

    @property
    def address(self) -> str:
        return endpoints.addresses(self.stack.name).registry_url

    def prepare(self) -> None:
        places.own(self.directory)

    def command(self) -> list[str]:
        # Without it the connections broken by a restart of PostgreSQL stay in the pool for minutes.
        validation = "-Dquarkus.datasource.postgresql.jdbc.validate-on-borrow=true"
        return java.command(
            self.directory, "-Xmx384m", "-Xms64m", validation, "-jar", str(self.program / "quarkus-run.jar")
        )

    def environment(self) -> Mapping[str, str]:
        postgres = self.stack.base + endpoints.POSTGRES
        return {
            "QUARKUS_HTTP_HOST": endpoints.HOST,
            "QUARKUS_HTTP_PORT": str(self.ports[0]),
            "QUARKUS_MANAGEMENT_HOST": endpoints.HOST,
            "QUARKUS_MANAGEMENT_PORT": str(self.ports[1]),
            "APICURIO_STORAGE_SQL_KIND": "postgresql",
            "APICURIO_DATASOURCE_URL": f"jdbc:postgresql://{endpoints.HOST}:{postgres}/registry",
            "APICURIO_DATASOURCE_USERNAME": "registry",
            "APICURIO_DATASOURCE_PASSWORD": "registry",
        }

    def is_ready(self) -> bool:
        return http_status(f"http://{endpoints.HOST}:{self.ports[1]}/health/ready") == 200
