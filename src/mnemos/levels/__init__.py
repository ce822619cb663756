"""Turn, episode, theme, profile: how memories are organised, extractive and incremental, without a model."""
