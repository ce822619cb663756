"""Mnemos behind the interfaces that agent frameworks expect; each module needs only the framework that it names."""
