"""All benchmarks one after the other: `python -m benchmarks [--data FOLDER]` (what `make bench` calls).

Each is a script of its own that prints a table with date, cores and command; one that needs the real nodules is left
out with a reason where they are absent.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="folder of real data")
    data = parser.parse_args().data
    nodules = data / "lidc-nodules"
    commands = [["training_step.py"], ["segmentation_export.py"], ["statistics_speed.py"], ["auc_loss.py"]]
    commands += [["header_scan.py"], ["idc_labels.py"], ["lung_masks.py"]]
    if (nodules / "cases.csv").is_file():
        commands.insert(0, ["preparation.py", str(nodules)])
        commands.append(["radiomics_speed.py", str(nodules)])
    else:
        print("preparation.py and radiomics_speed.py left out: no lidc-nodules/cases.csv below --data.")
    status = 0
    for name, *arguments in commands:
        print(f"\n## {name}\n", flush=True)
        status |= subprocess.run([sys.executable, str(HERE / name), *arguments], check=False).returncode
    return status


if __name__ == "__main__":
    sys.exit(main())
