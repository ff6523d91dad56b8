"""A believable newsroom at work: its people, what they write about, and what they do to it."""
