"""What two processes run in the test of training side by side."""

import sys
from pathlib import Path

from nerf_talker.data.dataset import Dataset
from tests.train.runs import QUICK, trainer

if __name__ == "__main__":
    made = trainer(Dataset.open(Path(sys.argv[1])), Path(sys.argv[2]), **QUICK, log_interval=5)
    made.fit()
    table = made.talker.head.table.detach().double()
    print(f"sum {made.processes.rank} {float(table.abs().sum())!r}", flush=True)
