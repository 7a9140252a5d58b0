"""Training: tensors, a network, a loss and a seed in; the best weights by the validation part out. Loads no torch."""
