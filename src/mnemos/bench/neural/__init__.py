"""Measures the memories of `mnemos.neural`."""
