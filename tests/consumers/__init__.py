PARTITIONS = 4
"""Of the raw and of the enriched topic of a test's own trail: what a transaction costs the brokers grows with them."""
