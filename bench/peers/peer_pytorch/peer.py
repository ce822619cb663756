"""PEER-pytorch, of the same size: 4 heads that fire 8 of 64² experts by queries of twice 32 numbers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from PEER_pytorch import PEER
from reading import Layer, main


def experts(width: int, heads: int) -> Layer:
    """A layer; how many heads others have is not asked, for a table has its own."""
    layer = PEER(width, heads=4, num_experts=64**2, num_experts_per_head=8, dim_key=32, non_competing_scores=False)
    return layer, None


main({"PEER-pytorch": experts}, ("PEER-pytorch", "torch"))
