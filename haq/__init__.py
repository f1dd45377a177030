"""haq: layer-by-layer precision search, measured on the board that will run the network."""

__version__ = "0.1.0"
