"""MobileNet in its three versions, row by row."""

from haq.zoo.keys import Timm, Torchvision, TorchvisionV3
from haq.zoo.rows import Row, Rows, Squeeze

MBV1 = Rows(
    Timm(),
    stem=32,
    rows=(
        Row(64, expand=None),
        Row(128, stride=2, expand=None, repeats=2),
        Row(256, stride=2, expand=None, repeats=2),
        Row(512, stride=2, expand=None, repeats=6),
        Row(1024, stride=2, expand=None, repeats=2),
    ),
    head=None,
    skips=False,
    ends_active=True,
)
"""Howard et al. 2017, Table 1, as timm's mobilenetv1_100."""

MBV2 = Rows(
    Torchvision(),
    stem=32,
    rows=(
        Row(16, expand=None),
        Row(24, stride=2, repeats=2),
        Row(32, stride=2, repeats=3),
        Row(64, stride=2, repeats=4),
        Row(96, repeats=3),
        Row(160, stride=2, repeats=3),
        Row(320),
    ),
    head=1280,
)
"""Sandler et al., CVPR 2018, Table 2, as torchvision's mobilenet_v2."""

MBV3_SMALL = Rows(
    TorchvisionV3(),
    stem=16,
    rows=(
        Row(16, stride=2, expand=None, squeezes=True, activation="relu"),
        Row(24, stride=2, expand=4.5, activation="relu"),
        Row(24, expand=3.67, activation="relu"),
        Row(40, 5, stride=2, expand=4, squeezes=True),
        Row(40, 5, repeats=2, squeezes=True),
        Row(48, 5, expand=3, repeats=2, squeezes=True),
        Row(96, 5, stride=2, repeats=3, squeezes=True),
    ),
    head=576,
    hidden=1024,
    activation="hard_swish",
    squeeze=Squeeze("widened", "hard_sigmoid"),
    bn_eps=1e-3,
    bn_momentum=0.01,
)
"""Howard et al., ICCV 2019, Table 2, as torchvision's mobilenet_v3_small."""

MBV3_LARGE = Rows(
    TorchvisionV3(),
    stem=16,
    rows=(
        Row(16, expand=None, activation="relu"),
        Row(24, stride=2, expand=4, activation="relu"),
        Row(24, expand=3, activation="relu"),
        Row(40, 5, stride=2, expand=3, repeats=3, squeezes=True, activation="relu"),
        Row(80, stride=2),
        Row(80, expand=2.5),
        Row(80, expand=2.3, repeats=2),
        Row(112, repeats=2, squeezes=True),
        Row(160, 5, stride=2, repeats=3, squeezes=True),
    ),
    head=960,
    hidden=1280,
    activation="hard_swish",
    squeeze=Squeeze("widened", "hard_sigmoid"),
    bn_eps=1e-3,
    bn_momentum=0.01,
)
"""Howard et al., ICCV 2019, Table 1, as torchvision's mobilenet_v3_large."""
