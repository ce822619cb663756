"""Measuring Mnemos: data readers, metrics, baselines, and the commands behind `mnemos bench`."""
