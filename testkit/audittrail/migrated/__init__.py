"""An app for tests of migrations: its migrations are made by the tests."""
