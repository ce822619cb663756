"""Durable state: the log, and everything that is derived from it."""
