"""Memories as tools and resources of the Model Context Protocol, over stdio (`mnemos mcp`) and HTTP (`/mcp`)."""
