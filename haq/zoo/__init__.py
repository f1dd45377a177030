"""Networks that haq can build by name."""

from haq.zoo.config import DataShape, NetConfig
from haq.zoo.loading import load
from haq.zoo.registry import build
from haq.zoo.sources import DEFAULT_WEIGHTS

__all__ = ["DEFAULT_WEIGHTS", "DataShape", "NetConfig", "build", "load"]
