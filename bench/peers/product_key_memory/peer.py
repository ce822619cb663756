"""product-key-memory, of the same size: 4 heads that read 8 of 64² values by queries of twice 32 numbers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from product_key_memory import PKM
from reading import Layer, main


def table(width: int, heads: int) -> Layer:
    """A layer; how many heads others have is not asked, for a table has its own."""
    return PKM(width, heads=4, num_keys=64, topk=8, dim_head=32), None


main({"product-key-memory": table}, ("product-key-memory", "torch"))
