"""carbonray: annual re-inference of the planet's CO2 emissions on a Ray cluster."""

__version__ = "0.1.0"
