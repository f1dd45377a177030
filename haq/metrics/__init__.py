"""What a network is judged by, beside its divergence from the float network."""

from haq.metrics._base import Metric
from haq.metrics.f1 import F1
from haq.metrics.mean_iou import MeanIou
from haq.metrics.own import Own
from haq.metrics.top import Top
from haq.own_function import import_function, is_function_name
from quant.errors import InputError
from quant.graph import Graph

__all__ = ["METRICS", "TOP1", "Metric", "beside_top1", "make_metric"]

TOP1 = "top1"
BUILT_IN: tuple[Metric, ...] = (Top(1), Top(5), MeanIou(), F1())
METRICS = {metric.name: metric for metric in BUILT_IN}


def make_metric(name: str) -> Metric:
    """The metric of a name, or that of a function `package.module:function`.

    Raises InputError for other names, and where there is no such function.
    """
    if name in METRICS:
        return METRICS[name]
    if not is_function_name(name):
        known = ", ".join(METRICS)
        raise InputError(f"no metric '{name}': choose {known}, or package.module:function")
    import_function(name)
    return Own(name)


def beside_top1(name: str | None, graph: Graph) -> Metric | None:
    """The metric of a name, None for top-1, which every score has. Raises InputError.

    Without a name a network that gives a class for every pixel is judged by F1: most pixels are of
    few classes, so that top-1 says little.
    """
    default = F1.name if len(graph.nodes[-1].shape) == 3 else TOP1
    return None if (name or default) == TOP1 else make_metric(name or default)
