"""Networks that were found by a search, row by row."""

from haq.zoo.keys import Proxyless, Timm
from haq.zoo.rows import Row, Rows

PROXYLESS_MOBILE = Rows(
    Proxyless(),
    stem=32,
    rows=(
        Row(16, expand=None),
        Row(32, 5, stride=2, expand=3),
        Row(32, expand=3),
        Row(40, 7, stride=2, expand=3),
        Row(40, expand=3),
        Row(40, 5, expand=3, repeats=2),
        Row(80, 7, stride=2),
        Row(80, 5, expand=3, repeats=3),
        Row(96, 5),
        Row(96, 5, expand=3, repeats=3),
        Row(192, 7, stride=2),
        Row(192, 7),
        Row(192, 7, expand=3, repeats=2),
        Row(320, 7),
    ),
    head=1280,
    bn_eps=1e-3,
)
"""Cai, Zhu and Han, ICLR 2019, Figure 5: searched for a Google Pixel 1."""

PROXYLESS_GPU = Rows(
    Proxyless(),
    stem=40,
    rows=(
        Row(24, expand=None),
        Row(32, 5, stride=2, expand=3),
        Row(56, 7, stride=2, expand=3),
        Row(56, expand=3),
        Row(112, 7, stride=2),
        Row(112, 5, expand=3),
        Row(128, 5),
        Row(128, expand=3),
        Row(128, 5, expand=3),
        Row(256, 7, stride=2),
        Row(256, 7, repeats=2),
        Row(256, 5),
        Row(432, 7),
    ),
    head=1728,
    bn_eps=1e-3,
)
"""The same, searched for a V100."""

PROXYLESS_CPU = Rows(
    Proxyless(),
    stem=40,
    rows=(
        Row(24, expand=None),
        Row(32, stride=2),
        Row(32, expand=3, repeats=3),
        Row(48, stride=2),
        Row(48, expand=3, repeats=2),
        Row(48, 5, expand=3),
        Row(88, stride=2),
        Row(88, expand=3),
        Row(104, 5),
        Row(104, expand=3, repeats=3),
        Row(216, 5, stride=2),
        Row(216, 5, expand=3, repeats=2),
        Row(216, expand=3),
        Row(360, 5),
    ),
    head=1432,
    bn_eps=1e-3,
)
"""The same, searched for a Xeon E5-2640 v4."""

PROXYLESS_MOBILE_14 = Rows(
    Proxyless(),
    stem=48,
    rows=(
        Row(24, expand=None),
        Row(40, 5, stride=2, expand=3),
        Row(40, expand=3),
        Row(56, 7, stride=2, expand=3),
        Row(56, expand=3),
        Row(56, 5, expand=3, repeats=2),
        Row(112, 7, stride=2),
        Row(112, 5, expand=3, repeats=3),
        Row(136, 5),
        Row(136, 5, expand=3, repeats=3),
        Row(256, 7, stride=2),
        Row(256, 7),
        Row(256, 7, expand=3, repeats=2),
        Row(448, 7),
    ),
    head=1792,
    bn_eps=1e-3,
)
"""The first one, 1.4 times as wide."""

MNASNET_A1 = Rows(
    Timm(),
    stem=32,
    rows=(
        Row(16, expand=None),
        Row(24, stride=2, repeats=2),
        Row(40, 5, stride=2, expand=3, repeats=3, squeezes=True),
        Row(80, stride=2, repeats=4),
        Row(112, repeats=2, squeezes=True),
        Row(160, 5, stride=2, repeats=3, squeezes=True),
        Row(320),
    ),
    head=1280,
    activation="relu",
)
"""Tan et al., CVPR 2019, Figure 7, as timm's semnasnet_100."""

MNASNET_B1 = Rows(
    Timm(),
    stem=32,
    rows=(
        Row(16, expand=None),
        Row(24, stride=2, expand=3, repeats=3),
        Row(40, 5, stride=2, expand=3, repeats=3),
        Row(80, 5, stride=2, repeats=3),
        Row(96, repeats=2),
        Row(192, 5, stride=2, repeats=4),
        Row(320),
    ),
    head=1280,
    activation="relu",
)
"""The same search without squeeze and excitation, as timm's mnasnet_100."""

SPNASNET = Rows(
    Timm(),
    stem=32,
    rows=(
        Row(16, expand=None),
        Row(24, stride=2, expand=3, repeats=3),
        Row(40, 5, stride=2),
        Row(40, expand=3, repeats=3),
        Row(80, 5, stride=2),
        Row(80, expand=3, repeats=3),
        Row(96, 5),
        Row(96, 5, expand=3, repeats=3),
        Row(192, 5, stride=2, repeats=4),
        Row(320),
    ),
    head=1280,
    activation="relu",
)
"""Single-Path NAS (Stamoulis et al., ECML 2019), as timm's spnasnet_100."""

FBNET_C = Rows(
    Timm(),
    stem=16,
    rows=(
        Row(16, expand=1),
        Row(24, stride=2),
        Row(24, expand=1, repeats=2),
        Row(32, 5, stride=2),
        Row(32, 5, expand=3),
        Row(32, 5),
        Row(32),
        Row(64, 5, stride=2),
        Row(64, 5, expand=3),
        Row(64, 5, repeats=2),
        Row(112, 5, repeats=3),
        Row(112, 5, expand=3),
        Row(184, 5, stride=2, repeats=4),
        Row(352),
    ),
    head=1984,
    activation="relu",
)
"""Wu et al., CVPR 2019, Figure 5, as timm's fbnetc_100."""

LITE0 = Rows(
    Timm(),
    stem=32,
    rows=(
        Row(16, expand=None),
        Row(24, stride=2, repeats=2),
        Row(40, 5, stride=2, repeats=2),
        Row(80, stride=2, repeats=3),
        Row(112, 5, repeats=3),
        Row(192, 5, stride=2, repeats=4),
        Row(320),
    ),
    head=1280,
    bn_eps=1e-3,
)
"""EfficientNet-B0 (Tan and Le, ICML 2019) without its gates, as timm's tf_efficientnet_lite0."""
