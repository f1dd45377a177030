"""The measuring child without the checks of uploads, to be given networks that harm ncnn."""

from __future__ import annotations

import sys
from unittest.mock import patch

from device_agent.models import networks
from device_agent.processes.worker import main
from quant.ncnn.format import NcnnLayer, load_bin, parse_param

COMMAND = (sys.executable, __file__)


def read_unchecked(param: bytes, weights: bytes, *_: object) -> list[NcnnLayer]:
    """Stands in for `device_agent.models.validate.read_network`."""
    return load_bin(parse_param(param.decode()), weights)


if __name__ == "__main__":
    with patch.object(networks, "read_network", read_unchecked):
        main()
