"""What every room leans on: errors, seeds, where work runs, atomic files, the manifest. Knows nothing of images."""
