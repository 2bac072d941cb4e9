"""What networks cost in training: steps of the optimiser, and predictions between them."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.challenge.calibrate_cells import Cell

_BATCHES = (8, 32)


def cells(networks: Sequence[str]) -> list[Cell]:
    """Points over sizes and batches for each network of `transfer.networks`; needs torch where there are any.

    Raises BadInput for an unknown network.
    """
    if not networks:
        return []
    from headstart.transfer.timing import sides, work

    found = []
    for network in networks:
        for pixels in sides(network):
            for batch in _BATCHES:
                step, predict = work(network, pixels, batch)
                found.append(Cell("backward", network, pixels, batch, step))
                found.append(Cell("infer", network, pixels, batch, predict))
    return found
