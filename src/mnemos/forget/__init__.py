"""What goes: how strength decays, what is worth keeping, and budgets. Policies, one a file."""
