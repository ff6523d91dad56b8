"""The same article under this trail and under its peers, each in tables of its own."""
