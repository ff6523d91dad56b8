"""A witness of capture that no trigger feeds: PostgreSQL's own log of changes, decoded, is held against the events.

Programs (`programs`) are played in several sessions at once (`player`); what they committed is read from the log
(`change_log`) and folded into the articles' states, with which the events must agree (`testimony`).
"""
