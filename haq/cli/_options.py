"""Options that several commands share."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from haq import names


class Padding(str, Enum):
    """Padding of convolutions."""

    torch = "torch"
    same = "same"


class Observer(str, Enum):
    """How activation ranges are found; mirrors `quant.observers.METHODS`."""

    auto = "auto"
    absmax = "absmax"
    percentile = "percentile"
    mse = "mse"
    kl = "kl"


class QuantizerName(str, Enum):
    """What makes the weights of a policy."""

    best = "best"
    table = "table"
    naive = "naive"
    kmeans = "kmeans"


class Device(str, Enum):
    """Where torch computes."""

    cpu = "cpu"
    cuda = "cuda"


ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        help="Network, such as mbv2 or resnet18: see haq models; or your own: a function "
        "package.module:factory, an ONNX file, or one of torch.export.save (.pt2).",
    ),
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        help="safetensors file or weights_only checkpoint with the network's published key names, "
        "or torchvision or timm for what these have [default: those at hand, see haq models].",
    ),
]
InputOption = Annotated[
    int | None,
    typer.Option(
        "--input", min=16, help="Side of the input in pixels [default: the network's own]."
    ),
]
PaddingOption = Annotated[
    Padding | None,
    typer.Option(
        "--padding",
        help="torch (symmetric) or same (TensorFlow's) [default: same for lite0, else torch].",
    ),
]
DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="sample (packaged), fashion-mnist (full set on disk), faces (drawn by haq, with "
        "masks), or one of these, with rows :FIRST-LAST if not all: a folder of class folders or "
        "with a labels.csv of file,label; FILE.csv of file,label; hf:NAME[:SPLIT] (Hugging Face); "
        "a loader package.module:function [default: faces for mbv2_seg, else sample; "
        "of these, searches of images wider than 64 pixels take :0-499].",
    ),
]
CalibrationOption = Annotated[
    str | None,
    typer.Option(
        "--calibration",
        help="Images for activation ranges, named as for --data; labels are not needed.",
    ),
]
MetricOption = Annotated[
    str | None,
    typer.Option(
        "--metric",
        help="top1, top5, miou, f1 (of every class, their geometric mean), or your own "
        "package.module:function of logits and labels; shown beside top-1 and KL [default: top1, "
        "f1 where every pixel has a class].",
    ),
]
ObserverOption = Annotated[Observer, typer.Option("--observer", help="How ranges are found.")]
EqualizeOption = Annotated[
    bool,
    typer.Option(
        "--equalize/--no-equalize",
        help="Even out and centre channels of the network that ncnn gets; in float it stays equal.",
    ),
]
QuantizerOption = Annotated[
    QuantizerName,
    typer.Option(
        "--quantizer",
        help="best: policies quantized as a whole, in sequence; table: every layer fitted alone; "
        "naive: rounding to nearest; kmeans: weights that share values, for the size alone. ncnn's "
        "own 8 bits are the engine's.",
    ),
]
LayersOption = Annotated[
    Path | None,
    typer.Option("--layers", help="Folder of `haq finetune`: its layers, of its policy."),
]
DeviceOption = Annotated[Device, typer.Option("--device", help="Where torch computes.")]
TableOption = Annotated[
    Path | None,
    typer.Option(
        "--table",
        help="Latencies from a file: HAQ's .npy of layers x weight bits x activation bits (x is "
        "W8A8's), or what haq profile wrote (x is the float network's).",
    ),
]
EnergyTableOption = Annotated[
    Path | None,
    typer.Option(
        "--energy-table",
        help="JSON with picojoules of a MAC by bits (mac_pj) and of a byte moved (byte_pj) "
        "[default: a packaged estimate for 45 nm].",
    ),
]
BoardOption = Annotated[
    str | None,
    typer.Option(
        "--board",
        help="Device agent: a name of `haq boards` or http://HOST:PORT [default: start one here].",
    ),
]
BoardsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--board",
        help="Device agent: a name of `haq boards` or http://HOST:PORT; give several boards of one "
        "kind to share the measurements [default: start one here].",
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option("--board-key", envvar="HAQ_AGENT_KEY", help="The agent's key."),
]
CaOption = Annotated[
    Path | None,
    typer.Option(
        "--board-ca",
        envvar="HAQ_BOARD_CA",
        help="PEM file of the authority that signed the agent's certificate.",
    ),
]
PatienceOption = Annotated[
    float,
    typer.Option(
        "--patience", min=0, help="Minutes to wait for a lost board to come back; 0: stop at once."
    ),
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", min=1, max=64, help="ncnn's threads on the board.")
]
CoresOption = Annotated[
    str | None,
    typer.Option("--cores", help="The board's CPUs to stay on: 4,5,6,7, or big, or little."),
]
FreshOption = Annotated[
    bool, typer.Option("--fresh", help="Measure even what the board remembers.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON line on standard output.")
]


def padding_name(padding: Padding | None) -> names.Padding | None:
    """As it is called below the command line; None is as usual for the network."""
    return None if padding is None else padding.value
