"""What is published about the networks of the zoo, at 224x224 with 1000 classes.

`digest` is SHA-256 of the sorted lines "name shape" of a state dict without `num_batches_tracked`,
as made by the library that `origin` names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

TORCHVISION = "torchvision 0.29.1"
TIMM = "timm 1.0.31"
OFA = "ofa 0.1.0.post202307202001 under the names of mit-han-lab/proxylessnas"


class Published(NamedTuple):
    params: int
    macs: int
    layers: int
    digest: str
    origin: str


PUBLISHED = {
    "mbv1": Published(
        4_231_976,
        568_740_352,
        28,
        "5f56871ef10ff588eaa3dc6bd9473c77b99001588c745269584a067c49f391a1",
        f"{TIMM} mobilenetv1_100",
    ),
    "mbv2": Published(
        3_504_872,
        300_774_272,
        53,
        "31b2953486e69378151eb62f988c2fab709138cf89a192aeff0edb64ce37d234",
        f"{TORCHVISION} mobilenet_v2",
    ),
    "mbv3_small": Published(
        2_542_856,
        56_510_400,
        54,
        "5d11500ee7389ab099aec99a7a9d4c6a280762e60f532649dbdf6b35936549ca",
        f"{TORCHVISION} mobilenet_v3_small",
    ),
    "mbv3_large": Published(
        5_483_032,
        216_589_760,
        64,
        "6bdd4bdb759ccdfe2753ca5712f573761ee4d15933e8bd703cc174f426b0fd0c",
        f"{TORCHVISION} mobilenet_v3_large",
    ),
    "proxyless_mobile": Published(
        4_080_512,
        320_427_584,
        62,
        "10df26b39ab09c855d60ecde9f1699d8a28e4c944f72c4bf26cf9e3b202c5fef",
        OFA,
    ),
    "proxyless_mobile_14": Published(
        6_857_568,
        580_883_408,
        62,
        "4a15789713ce3277808b3a32c78828c446ca3fb7380032c451050645a3f3bceb",
        OFA,
    ),
    "proxyless_gpu": Published(
        7_119_848,
        465_260_160,
        44,
        "85c328808b1223575071ed7e18fdeae70f2c71319ff09e82ad58d489a1b28742",
        OFA,
    ),
    "proxyless_cpu": Published(
        4_361_648,
        439_243_864,
        62,
        "91a337212586332f365f5b14b6bc315218c57b1e25bda5063e0306b2c599ec00",
        OFA,
    ),
    "mnasnet_a1": Published(
        3_887_038,
        311_579_072,
        50 + 16,
        "090aef96d0bb6fc15b9dc529dde227682f5f33fd1363556b8f1c0b4164646f97",
        f"{TIMM} semnasnet_100",
    ),
    "mnasnet_b1": Published(
        4_383_312,
        314_415_872,
        53,
        "5c027e5240cafc4da1fa807ae37df7afd49c7aafbe6460ab32b354ee04119477",
        f"{TIMM} mnasnet_100",
    ),
    "spnasnet": Published(
        4_421_616,
        333_467_072,
        65,
        "4a3c64eb0c3f93db421b807db053863016732c77e92f69dfbb7f7d42411f254f",
        f"{TIMM} spnasnet_100",
    ),
    "fbnet_c": Published(
        5_572_200,
        384_960_160,
        66,
        "1c8c922f62d3cb5b31f6d4801ec2e5487ab2eb49f9f1475718057f0ccf04bd0a",
        f"{TIMM} fbnetc_100",
    ),
    "lite0": Published(
        4_652_008,
        385_187_552,
        50,
        "1ec307ce9ba72ac1ac0e21d43d39240684c26a588ae98d41a9445ea05189e47c",
        f"{TIMM} tf_efficientnet_lite0",
    ),
    "resnet18": Published(
        11_689_512,
        1_814_073_344,
        21,
        "f7c87c593a8f824c040e9f6463b829e7890ca9e3c72a1a1a37253e36952e71a1",
        f"{TORCHVISION} resnet18",
    ),
    "resnet50": Published(
        25_557_032,
        4_089_184_256,
        54,
        "037a93a87f106a2c21304c8645ecac69c071fd58a9f1218ee651e3bf9a17b8e3",
        f"{TORCHVISION} resnet50",
    ),
    "shufflenet_v2": Published(
        2_278_604,
        144_907_992,
        57,
        "641693d48fb3bc0be2ca8e067fa07d8bff6d852c0c730fc3eef485b1c3ad969e",
        f"{TORCHVISION} shufflenet_v2_x1_0",
    ),
    "squeezenet": Published(
        1_235_496,
        349_151_936,
        26,
        "504671eb7a513d62ebf81edd3a09343fefed26b44e6913b73d0990eec6b5c95e",
        f"{TORCHVISION} squeezenet1_1",
    ),
    "vit_tiny": Published(
        5_717_416,
        1_253_683_200,
        50 + 2 * 12,
        "e9bef1dcfd84d7fdcfe1dd5f23bd1221ad4fa1970efe15328bf34a3948774c3a",
        f"{TIMM} vit_tiny_patch16_224",
    ),
}


def digest(state: Mapping[str, Tensor]) -> str:
    lines = sorted(
        " ".join([name, *map(str, tensor.shape)])
        for name, tensor in state.items()
        if not name.endswith("num_batches_tracked")
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
