"""Networks that haq can build by name."""

from haq.zoo.mobilenet_v2 import MobileNetV2
from haq.zoo.registry import DEFAULT_WEIGHTS, NetConfig, build, load

__all__ = ["DEFAULT_WEIGHTS", "MobileNetV2", "NetConfig", "build", "load"]
