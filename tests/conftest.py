"""What tests share lies in testkit; its modules with fixtures and hooks are plugins."""

pytest_plugins = [
    "testkit.environment",
    "testkit.services",
    "testkit.sharing",
    "testkit.databases",
    "testkit.audittrail.archives",
    "testkit.consumers.contract_files",
    "testkit.consumers.logins",
    "testkit.consumers.trail",
    "testkit.kafka.fixtures",
]
