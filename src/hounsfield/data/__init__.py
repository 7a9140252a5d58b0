"""From cases to tensors: prepared cubes, augmentation, batches. Importing this package alone loads no torch."""
