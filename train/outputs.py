"""A network that learns other classes keeps its outputs for those that it knows."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from fervid.network import ExpressionNet
from train.labelled import class_of


@torch.no_grad()
def rename_outputs(net: ExpressionNet, known: Sequence[str], wanted: Sequence[str]) -> None:
    """Give a network the outputs of other classes.

    Classes that it knows, also by another of their names ("anger", "angry"), keep their weights;
    new ones start at 0, from where they learn.

    Args:
        net: changed in place.
        known: its classes.
        wanted: the classes that it shall have.
    """
    if tuple(known) == tuple(wanted):
        return
    old, head = net.head, nn.Conv2d(net.head.in_channels, len(wanted), 1)
    for parameter in head.parameters():
        parameter.zero_()
    for place, name in enumerate(wanted):
        before = class_of(name, known)
        if before is not None:
            head.weight[place].copy_(old.weight[before])
            cast(Tensor, head.bias)[place].copy_(cast(Tensor, old.bias)[before])
    net.head = head
