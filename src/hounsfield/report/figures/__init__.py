"""One file a figure: numbers or arrays in, a `style.Picture` out. No figure computes a metric."""
