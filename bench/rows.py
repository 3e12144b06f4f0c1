"""What scripts/bench --peers measures: each row, what stands beside it, and its bar.

`must` is the least ratio of the peer's time to casimir's, unless the row's unit says otherwise.
"""

import fnmatch
from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """A program of bench/peers, or casimir_bench itself."""
    environment: str = "casimir"  # whose python: mace or nequip; casimir: our own program
    script: str = ""
    options: tuple = ()
    weights: bool = False  # random weights are the peer's, imported
    row: str = ""          # where it is not the row's name
    threads: int = 0       # 0: as casimir's
    times: float = 1       # its time counts so often: another amount of work
    label: str = ""        # of our own program


@dataclass(frozen=True)
class Row:
    name: str
    peers: tuple = ()      # the fastest counts
    must: float = None
    of_peak: float = None  # least share of the peak of matrix products, percent
    program_row: str = ""  # of casimir_bench, where it is not the name
    threads: int = 0       # 0: those of --threads
    kind: str = "time"     # or memory, start
    compiled: bool = False

    @property
    def agreement(self):
        """Largest relative difference of the results."""
        f64 = self.name.endswith("_f64") or self.name.startswith("neighbors")
        return 1e-9 if f64 else 1e-4


MACE = Peer("mace", "mace_step.py", weights=True)
NEQUIP = Peer("nequip", "nequip_step.py", weights=True)
COMPILED = Peer("nequip", "nequip_step.py", ("--compiled",), weights=True,
                row="train_step_nequip_m")
E3NN = Peer("mace", "kernels.py")
HARMONICS = Peer("nequip", "kernels.py")
MATSCIPY = Peer("mace", "neighbors.py", ("--library", "matscipy"), row="neighbors")
ASE = Peer("mace", "neighbors.py", ("--library", "ase"), row="neighbors")
ONE_THREAD = Peer(row="train_step_mace_l2", threads=1, label="one thread")
ONEDNN, OPENBLAS, LIBXSMM = (Peer(options=("--library", name), label=name)
                             for name in ("onednn", "openblas", "libxsmm"))


def flat(row, atoms):
    """Times per atom are compared with those of 1000 atoms: at most 15 % longer."""
    smaller = Peer(row=f"{row}_1000", times=atoms / 1000, label="1000 atoms")
    return Row(f"{row}_{atoms}", (smaller,), 1 / 1.15)


def matmul(sizes, dtype):
    """libxsmm makes kernels for small products only, oneDNN 2.6 has no float64."""
    libraries = [OPENBLAS]
    if dtype == "f32":
        libraries.append(ONEDNN)
    if max(map(int, sizes.split("x"))) <= 128:
        libraries.append(LIBXSMM)
    return Row(f"matmul_{sizes}_{dtype}", tuple(libraries), 0.95, threads=1)


SIZES = ["9x128x128", "16x128x128", "32x128x128", "16x64x64", "2242x64x2176", "1024x1024x1024"]

ROWS = [
    Row("train_step_mace_l2", (MACE,), 30, 30),
    Row("train_step_mace_l1", (MACE,), 20, 30),
    Row("train_step_mace_l0", (MACE,), 14, 30),
    Row("train_step_mace_l2_f64", (MACE,), 20),
    Row("infer_mace_l2", (MACE,), 25),
    Row("infer_mace_l1", (MACE,)),
    Row("infer_mace_l0", (MACE,), 14),
    Row("infer_mace_l2_molecule", (MACE,), 25),
    Row("infer_mace_l0_molecule", (MACE,), 14),
    Row("infer_mace_l2_f64", (MACE,), 20),
    Row("convolution", (E3NN,), 60),
    Row("convolution_gradient", (E3NN,), 50),
    Row("convolution_double", (E3NN,), 50),
    Row("contraction", (E3NN,), 250),
    Row("contraction_gradient", (E3NN,), 250),
    Row("contraction_double", (E3NN,), 150),
    Row("harmonics", (HARMONICS,), 10),
    Row("harmonics_gradient", (HARMONICS,), 10),
    Row("train_step_nequip_m", (NEQUIP,), 8),
    Row("train_step_nequip_m_compiled", (COMPILED,), 6, program_row="train_step_nequip_m",
        compiled=True),
    Row("neighbors_matscipy", (MATSCIPY,), 3, program_row="neighbors_100000"),
    Row("neighbors_ase", (ASE,), 30, program_row="neighbors_100000"),
    *(matmul(sizes, dtype) for dtype in ("f32", "f64") for sizes in SIZES),
    Row("memory_train_mace_l2", (MACE,), 1, program_row="train_step_mace_l2", kind="memory"),
    Row("threads_train_mace_l2", (ONE_THREAD,), 1.8, program_row="train_step_mace_l2", threads=2),
    *(flat("infer_silicon", atoms) for atoms in (8000, 30000)),
    *(flat("neighbors", atoms) for atoms in (10000, 100000)),
    Row("start_to_first_step", (MACE,), 1, program_row="train_step_mace_l0", kind="start"),
]


def chosen(pattern, compiled):
    """The rows whose names match one of the patterns, separated by commas."""
    patterns = pattern.split(",")
    return [row for row in ROWS if (compiled or not row.compiled)
            and any(fnmatch.fnmatch(row.name, p) for p in patterns)]
