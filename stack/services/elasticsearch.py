"""Elasticsearch, one node, without security: for this machine only."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from stack import cache, endpoints, java, places, versions
from stack.services.service import Service, http_status

SETTINGS = """\
cluster.name: elasticsearch
node.name: node-1
network.host: 127.0.0.1
http.port: {http}
transport.port: {transport}
discovery.type: single-node
xpack.security.enabled: false
path.data: {directory}/data
path.logs: {directory}/logs
cluster.routing.allocation.disk.threshold_enabled: false
"""
JVM_OPTIONS = """\
-Xms512m
-Xmx512m
-XX:+UseSerialGC
-XX:-AlwaysPreTouch
-XX:TieredStopAtLevel=1
-XX:+ExitOnOutOfMemoryError
-Djava.io.tmpdir={directory}/tmp
-XX:ErrorFile={directory}/logs/hs_err_pid%p.log
"""


class Elasticsearch(Service):
    name = "elasticsearch"
    version = versions.ELASTICSEARCH.version
    megabytes = 600
    packages = (java.PACKAGE,)
    download = versions.ELASTICSEARCH

    @property
    def ports(self) -> tuple[int, ...]:
        return self.stack.base + endpoints.ELASTICSEARCH, self.stack.base + endpoints.ELASTICSEARCH_TRANSPORT

    @property
    def address(self) -> str:
        return endpoints.addresses(self.stack.name).elasticsearch_url

    @property
    def log(self) -> Path:
        return self.directory / "logs" / "elasticsearch.log"

    @property
    def daemon_pid_file(self) -> Path:
        return self.directory / "pid"

    def fetch(self, report: cache.Report) -> None:
        java.machine_home()
        cache.fetched(self.download, report)

    def prepare(self) -> None:
        places.own(self.directory)
        config = places.own(self.directory / "config")
        places.own(self.directory / "logs")
        places.own(self.directory / "tmp")
        names = {"http": self.ports[0], "transport": self.ports[1], "directory": self.directory}
        (config / "elasticsearch.yml").write_text(SETTINGS.format(**names))
        (config / "jvm.options").write_text(JVM_OPTIONS.format(**names))
        shutil.copy(self.program / "config" / "log4j2.properties", config)

    def command(self) -> list[str]:
        return [str(self.program / "bin" / "elasticsearch"), "-d", "-p", str(self.daemon_pid_file)]

    def environment(self) -> Mapping[str, str]:
        return {
            "ES_JAVA_HOME": str(java.machine_home()),
            "ES_PATH_CONF": str(self.directory / "config"),
            "ES_TMPDIR": str(self.directory / "tmp"),
            # The launcher is a Java program of its own, gone once the node is up: start it fast.
            "CLI_JAVA_OPTS": "-Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        }

    def is_ready(self) -> bool:
        return http_status(f"{self.address}/_cluster/health") == 200
