"""Update: what changes. Conflict and supersession, undoing, and what use teaches about the signals."""
