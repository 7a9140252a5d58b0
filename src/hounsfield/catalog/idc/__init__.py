"""The index of the Imaging Data Commons -> series chosen, downloaded and labelled."""
