"""`python -m hounsfield` is the program `hounsfield`."""

from hounsfield.cli import main

main()
