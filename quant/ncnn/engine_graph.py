"""A graph as ncnn can run it: the same values, computed where ncnn has its own ideas of them.

- Global pooling gives a vector, and what ncnn makes of a vector and an image depends on their
  sizes. So where the pooled value is read as an image of one pixel, it comes from a pool whose
  window is the whole image.
- The image is the caller's memory, and its channels lie behind one another without the gaps that
  ncnn leaves. What ncnn computes in place crashes on it, Concats and grouped convolutions take
  wrong numbers from it. So all but pools and ungrouped layers read a copy, which a pool of one
  pixel makes.
"""

from __future__ import annotations

from dataclasses import replace

from quant.details import Pool
from quant.graph import Graph, Node

POOLS = ("max_pool", "avg_pool", "global_avg_pool")
VECTOR_READERS = ("linear", "reshape")
ONE_PIXEL = Pool((1, 1), (1, 1), (0, 0, 0, 0))


def engine_graph(graph: Graph) -> Graph:
    """The graph with these nodes replaced or added; all others keep their names."""
    return copy_image(keep_pixels(graph))


def keep_pixels(graph: Graph) -> Graph:
    """Global pools that give an image, except for where only a vector is needed."""
    vectors = {
        node.name
        for node in graph.nodes[:-1]
        if all(r.op in VECTOR_READERS for r in graph.nodes if node.name in r.inputs)
    }
    shapes = {node.name: node.shape for node in graph.nodes}
    return Graph(
        tuple(
            pool_whole(node, shapes[node.inputs[0]])
            if node.op == "global_avg_pool" and node.name not in vectors
            else node
            for node in graph.nodes
        )
    )


def pool_whole(node: Node, shape: tuple[int, ...]) -> Node:
    """A global pool as one whose window is an image (C, H, W)."""
    window = Pool((shape[1], shape[2]), (1, 1), (0, 0, 0, 0))
    return replace(node, op="avg_pool", detail=window)


def copy_image(graph: Graph) -> Graph:
    """The image copied for what must not read it."""
    image, *others = graph.nodes
    if not any(needs_copy(node, image) for node in others):
        return graph
    copy = Node(f"{image.name}_copy", "max_pool", (image.name,), image.shape, detail=ONE_PIXEL)
    return Graph((image, copy, *(read_instead(node, image, copy) for node in others)))


def needs_copy(node: Node, image: Node) -> bool:
    """Whether a node reads the image and must not."""
    ungrouped = node.layer is not None and node.layer.groups == 1 and not node.layer.is_product
    may_read = node.op in POOLS or ungrouped
    return image.name in node.inputs and not may_read


def read_instead(node: Node, image: Node, copy: Node) -> Node:
    """A node that reads the copy where it needs one."""
    if not needs_copy(node, image):
        return node
    inputs = (copy.name if name == image.name else name for name in node.inputs)
    return replace(node, inputs=tuple(inputs))
