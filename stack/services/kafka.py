"""Kafka in KRaft mode: each node is broker and controller."""

import base64
import socket
import struct
import uuid
from pathlib import Path

from stack import endpoints, java, places, processes, versions
from stack.services.service import ANSWER_WITHIN, Service


class Kafka(Service):
    name = "kafka"
    version = versions.KAFKA.version
    megabytes = 450
    download = versions.KAFKA

    @property
    def ports(self) -> tuple[int, ...]:
        base = self.stack.base + self.node
        return self._broker_port(self.node), self._controller_port(self.node), base + endpoints.BEHIND_PROXY

    @property
    def label(self) -> str:
        return f"kafka-{self.node}"

    def prepare(self) -> None:
        places.own(self.directory)
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in self.properties().items()))
        if (self.directory / "data" / "meta.properties").exists():
            return
        formatting = ["kafka.tools.StorageTool", "format", "-t", self._cluster_id, "-c", str(self._properties)]
        processes.run([*self._java(), *formatting], {}, self.directory)

    def properties(self) -> dict[str, str | int]:
        """The node's server.properties. Everything is replicated to all brokers, and outlives one of three."""
        brokers = self.stack.brokers
        replicas, in_sync = min(brokers, 3), max(1, min(brokers, 3) - 1)
        return {
            "process.roles": "broker,controller",
            "node.id": self.node,
            "controller.quorum.voters": ",".join(
                f"{node}@127.0.0.1:{self._controller_port(node)}" for node in range(1, brokers + 1)
            ),
            "listeners": _listeners(PLAINTEXT=self.ports[0], CONTROLLER=self.ports[1], PROXIED=self.ports[2]),
            # Clients of PROXIED are sent to a proxy's port: a test may put one there, to delay or drop replies.
            "advertised.listeners": _listeners(
                PLAINTEXT=self.ports[0], PROXIED=self.stack.base + endpoints.PROXY + self.node
            ),
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.directory / "data"),
            "auto.create.topics.enable": "false",
            "default.replication.factor": replicas,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": replicas,
            "offsets.topic.num.partitions": 10,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "transaction.state.log.num.partitions": 10,
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": in_sync,
            "group.initial.rebalance.delay.ms": 0,
            # Each thread looks for work three times a second: as many as the defaults give take a twentieth of a core
            # when there is none.
            "num.network.threads": 1,
            "num.io.threads": 4,
            "group.coordinator.threads": 1,
            "share.coordinator.threads": 1,
        }

    def command(self) -> list[str]:
        return [*self._java("-Xmx384m", "-Xms128m"), "kafka.Kafka", str(self._properties)]

    def is_ready(self) -> bool:
        """Whether the node answers and counts itself among the brokers of the cluster."""
        try:
            return self.node in _brokers_known_to(self.ports[0])
        except (OSError, struct.error):
            return False

    def _java(self, *options: str) -> list[str]:
        logging = ["-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS"]
        return java.command(self.directory, *options, *logging, "-cp", f"{self.program}/*")

    @property
    def _properties(self) -> Path:
        return self.directory / "server.properties"

    @property
    def _cluster_id(self) -> str:
        identity = uuid.uuid5(uuid.NAMESPACE_URL, f"audit-trail-stack/{self.stack.name}")
        return base64.urlsafe_b64encode(identity.bytes).decode().rstrip("=")

    def _broker_port(self, node: int) -> int:
        return self.stack.base + endpoints.BROKER + node

    def _controller_port(self, node: int) -> int:
        return self.stack.base + endpoints.CONTROLLER + node


def _listeners(**ports: int) -> str:
    return ",".join(f"{name}://{endpoints.HOST}:{port}" for name, port in ports.items())


def _brokers_known_to(port: int) -> list[int]:
    """Ids of the live brokers, by a Metadata request (version 1, no topics) of Kafka's own protocol."""
    client = b"stack"
    request = struct.pack(f">hhih{len(client)}si", 3, 1, 0, len(client), client, 0)
    with (
        socket.create_connection((endpoints.HOST, port), ANSWER_WITHIN) as connection,
        connection.makefile("rb") as answer,
    ):
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", answer.read(4))
        return _broker_ids(answer.read(size))


def _broker_ids(body: bytes) -> list[int]:
    """Node ids in a Metadata response: correlation id, then an array of (id, host, port, rack)."""
    _, count = struct.unpack_from(">ii", body)
    ids, offset = [], 8
    for _ in range(count):
        node, host = struct.unpack_from(">ih", body, offset)
        offset += 6 + host + 4
        (rack,) = struct.unpack_from(">h", body, offset)
        offset += 2 + max(rack, 0)
        ids.append(node)
    return ids
