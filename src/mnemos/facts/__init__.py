"""Facts: short self-contained statements derived from turns by rules, precise rather than complete."""
