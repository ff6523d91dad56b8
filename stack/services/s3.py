"""The S3 API on a folder, by s3proxy."""

from pathlib import Path

from stack import endpoints, java, places, versions
from stack.services.service import Service, http_status


class S3(Service):
    name = "s3"
    version = versions.S3.version
    megabytes = 180
    download = versions.S3

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.stack.base + endpoints.S3,)

    @property
    def address(self) -> str:
        return endpoints.addresses(self.stack.name).s3_url

    def prepare(self) -> None:
        places.own(self.directory)
        objects = places.own(self.directory / "data")
        self._properties.write_text(
            f"s3proxy.endpoint={self.address}\n"
            "s3proxy.authorization=aws-v2-or-v4\n"
            f"s3proxy.identity={endpoints.S3_ACCESS_KEY}\n"
            f"s3proxy.credential={endpoints.S3_SECRET_KEY}\n"
            "jclouds.provider=filesystem-nio2\n"
            f"jclouds.filesystem.basedir={objects}\n"
        )

    def command(self) -> list[str]:
        (jar,) = self.program.glob("*.jar")
        return java.command(
            self.directory, "-Xmx256m", "-Xms32m", "-jar", str(jar), "--properties", str(self._properties)
        )

    def is_ready(self) -> bool:
        """Whether it answers at all: without a signature it refuses (403)."""
        return http_status(self.address) is not None

    @property
    def _properties(self) -> Path:
        return self.directory / "s3proxy.conf"
