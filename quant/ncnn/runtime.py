"""Load and run ncnn networks, and ask the machine what its ncnn can do.

Three silent faults of the binding shape this file: `ncnn.Mat(array)` neither copies nor keeps the
array, it ignores strides, and it leaves no gaps between channels, where some layers expect them. So
arrays are made C-contiguous, held until the extraction ends, and copied where gaps are missing.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ncnn
import numpy as np

from quant.errors import FormatError
from quant.graph import Floats
from quant.ncnn.build import INPUT_BLOB, OUTPUT_BLOB
from quant.ncnn.capabilities import Arch, Bits16, Capabilities
from quant.ncnn.format import FLOAT_WEIGHTED, WEIGHTED

PROBED = (
    *(*WEIGHTED, *FLOAT_WEIGHTED),
    *("BinaryOp", "Concat", "Crop", "ShuffleChannel", "Reshape", "Pooling", "Interp"),
    *("ReLU", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Swish", "GELU"),
    *("Mish", "Softplus", "TanH", "ELU", "SELU", "CELU", "AbsVal", "UnaryOp", "Reduction"),
    *("PixelShuffle", "Reorg", "Padding", "LRN"),
    *("Permute", "Softmax", "MatMul"),
)


def capabilities() -> Capabilities:
    """What this machine's ncnn computes in 16 bits: fp16 where Arm has it, else bf16."""
    arch: Arch = "arm" if platform.machine().lower() in {"aarch64", "arm64", "armv7l"} else "x86"
    half = arch == "arm" and bool(ncnn.cpu_support_arm_asimdhp())
    bits16: Bits16 = "fp16" if half else "bf16"
    return Capabilities(arch, bits16, frozenset(t for t in PROBED if supports(t, bits16)))


def supports(layer_type: str, bits16: Bits16) -> bool:
    """Whether a layer type has a 16-bit path of the given kind here."""
    layer = ncnn.create_layer(layer_type)
    flag = layer.support_fp16_storage if bits16 == "fp16" else layer.support_bf16_storage
    return bool(flag)


class Engine:
    """A loaded network. Runs are deterministic, also when several threads run it at once."""

    def __init__(
        self, param_file: Path, bin_file: Path, bits16: Bits16 = "none", threads: int = 1
    ) -> None:
        """Load from files, since only then ncnn checks lengths.

        `bits16` switches the 16-bit types on that unmasked layers may use. Raises FormatError.
        """
        self._net = ncnn.Net()
        option = self._net.opt
        option.use_vulkan_compute = False
        option.num_threads = threads  # before loading: ncnn fixes its tiling then
        option.use_bf16_storage = bits16 == "bf16"
        option.use_fp16_packed = option.use_fp16_storage = bits16 == "fp16"
        option.use_fp16_arithmetic = bits16 == "fp16"
        if self._net.load_param(str(param_file)) != 0:
            raise FormatError("ncnn cannot load the .param")
        if self._net.load_model(str(bin_file)) != 0:
            raise FormatError("ncnn cannot load the .bin")

    @classmethod
    def from_memory(
        cls, param: str, weights: bytes, bits16: Bits16 = "none", threads: int = 1
    ) -> Engine:
        """The same by way of temporary files."""
        with TemporaryDirectory() as folder:
            return cls(*write_files(Path(folder), param, weights), bits16, threads)

    def run(self, image: Floats) -> Floats:
        """Logits (classes,) of one normalised image (C, H, W). Raises FormatError on failure."""
        return self.blobs(image, (OUTPUT_BLOB,), light=True)[OUTPUT_BLOB]

    def blobs(self, image: Floats, names: Iterable[str], light: bool = False) -> dict[str, Floats]:
        """Blobs by name as float32; keep `light` off to read blobs in the middle."""
        held = np.ascontiguousarray(image, dtype=np.float32)
        extractor = self._net.create_extractor()
        extractor.set_light_mode(light)
        if extractor.input(INPUT_BLOB, as_mat(held)) != 0:
            raise FormatError(f"the network has no input blob {INPUT_BLOB}")
        found = {}
        for name in names:
            code, mat = extractor.extract(name)
            if code != 0 or mat.empty():
                raise FormatError(f"ncnn failed to compute blob {name} (code {code})")
            found[name] = np.array(mat, dtype=np.float32)
        del held
        return found

    def blob_width(self, image: Floats, name: str) -> int:
        """Bits of an element of a blob as the network keeps it (8, 16 or 32)."""
        held = np.ascontiguousarray(image, dtype=np.float32)
        extractor = self._net.create_extractor()
        extractor.set_light_mode(False)
        extractor.input(INPUT_BLOB, as_mat(held))
        code, mat = extractor.extract(name, 1)
        del held
        if code != 0 or mat.empty():
            raise FormatError(f"ncnn failed to compute blob {name} (code {code})")
        return int(mat.elemsize * 8 // mat.elempack)


def as_mat(held: Floats) -> Any:
    """An array as ncnn takes it: as it is, or a copy whose channels begin at multiples of 16 bytes.

    Grouped convolutions and Concats read wrong numbers where they do not.
    """
    mat = ncnn.Mat(held)
    aligned = held.ndim < 3 or held[0].nbytes % 16 == 0
    return mat if aligned else mat.clone()


def write_files(folder: Path, param: str, weights: bytes, name: str = "net") -> tuple[Path, Path]:
    """Write a network as `NAME.param` and `NAME.bin`; their paths."""
    param_file, bin_file = folder / f"{name}.param", folder / f"{name}.bin"
    param_file.write_text(param)
    bin_file.write_bytes(weights)
    return param_file, bin_file
