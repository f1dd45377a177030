"""ONNX operations that cut, join and move axes."""

from __future__ import annotations

from quant.trace import arranged
from quant.trace.onnx_call import OnnxCall
from quant.trace.pending import Value
from quant.trace.seen import Seen


def concat(call: OnnxCall) -> Value:
    """Values joined along the channels, rows or columns."""
    axis = call.attribute("axis") % (1 + len(call.shape))
    if axis == 0:
        raise call.refused("joins the images of a batch")
    sources = [call.pending.plain(call.values[name]) for name in call.step.inputs]
    return arranged.concat(call.pending.builder, call.name, sources, axis)


def split(call: OnnxCall) -> tuple[Value, ...]:
    """Ranges of channels, rows or columns, one behind the other."""
    axis = call.axis(call.attribute("axis", 0))
    if axis == 0:
        raise call.refused("splits the images of a batch")
    sizes = [call.shape_of(part)[axis - 1] for part in call.step.outputs]
    return arranged.split(call.pending.builder, call.name, call.source, axis, sizes)


def take(call: OnnxCall) -> Value:
    """Ranges of channels, rows and columns, of these perhaps in steps."""
    starts, ends, axes, steps = (call.constant(index) for index in (1, 2, 3, 4))
    if starts is None or ends is None:
        raise call.refused("says no range")
    given = range(len(starts)) if axes is None else axes.tolist()
    apart = [1] * len(starts) if steps is None else steps.tolist()
    source = call.source
    for number, parts in enumerate(zip(given, starts, ends, apart, strict=True)):
        axis, part = call.axis(int(parts[0])), slice(*map(int, parts[1:]))
        if axis == 0:
            raise call.refused("takes some of the images of a batch")
        name = call.name if number == 0 else f"{call.name}_{axis}"
        source = arranged.cut(call.pending.builder, name, source, axis, part)
    return source


def reshape(call: OnnxCall) -> Value:
    """The same numbers in another shape."""
    if not isinstance(call.value, Seen):
        return call.pending.builder.reshape(call.name, call.source, call.shape)
    shape = call.shape
    return settled(call, call.value.moved(lambda places: places.reshape(len(places), *shape)))


def transpose(call: OnnxCall) -> Value:
    """Axes in another order."""
    order = list(call.attribute("perm") or range(len(call.before), -1, -1))
    if not isinstance(call.value, Seen):
        return call.pending.builder.permute(call.name, call.source, order)
    return settled(call, call.value.moved(lambda places: places.transpose(order)))


def settled(call: OnnxCall, value: Seen) -> Value:
    """A value whose axes were moved as a node, if it is one."""
    found: Value = arranged.settle(call.pending.builder, call.name, value)
    return found
