"""Networks for tests: random weights, lively statistics."""

import torch

from fervid.network import AdaptiveNorm2d


def lively(net, seed=0):
    """Statistics and scales as after training: nothing is 0 or 1."""
    torch.manual_seed(seed)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.3, 0.6)
            module.bias.data.normal_(0, 0.1)
        if isinstance(module, AdaptiveNorm2d):
            module.eta_gamma.data.normal_(0, 0.3)
            module.eta_beta.data.normal_(0, 0.3)
    return net.eval()
