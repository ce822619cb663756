"""The OpenAI-compatible proxy: requests get what memory knows, and what was said is learnt afterwards."""
