"""What the Brian2 programs of this folder share: C++ standalone mode on one thread, timed inside the generated program.

Brian2 measures the last run() with std::clock() in the program it generates: CPU seconds, without code generation,
compilation, drawing of connections and loading. Each program runs twice: once to settle, once to be measured.
"""

import argparse
import json
import os
import shutil
import tempfile

os.environ.pop("OPENBLAS_CORETYPE", None)

import brian2  # noqa: E402  (after the environment is clean)
import numpy as np  # noqa: E402


def options(description, seconds=1.0, settle=0.2):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=float, default=seconds, help="biological time that is measured")
    parser.add_argument("--settle", type=float, default=settle, help="biological time run before")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--single", action="store_true", help="float instead of double")
    return parser


def prepare(arguments):
    """Call before any Brian2 object is made."""
    brian2.set_device("cpp_standalone", build_on_run=False)
    brian2.prefs.devices.cpp_standalone.openmp_threads = 0
    brian2.prefs.core.default_float_dtype = np.float32 if arguments.single else np.float64
    brian2.defaultclock.dt = 0.1 * brian2.ms
    brian2.seed(arguments.seed)
    return np.random.default_rng(arguments.seed)


def fixed_indegree(random, sources, targets, indegree):
    """Indices of `indegree` sources for each target, drawn with repetition."""
    return random.integers(0, sources, targets * indegree), np.repeat(np.arange(targets), indegree)


def measure(arguments, namespace, objects, spikes, **more):
    """Settles, runs, and prints one JSON object. `namespace` holds the constants of the equations; `spikes` the monitors by
    population, with their populations' sizes."""
    network = brian2.Network(*objects, *[monitor for monitor, _ in spikes.values()])
    for monitor, _ in spikes.values():
        monitor.active = False
    network.run(arguments.settle * brian2.second, namespace=namespace)
    for monitor, _ in spikes.values():
        monitor.active = True
    network.run(arguments.seconds * brian2.second, namespace=namespace)
    folder = tempfile.mkdtemp(prefix="bouton_brian2_")
    try:
        brian2.device.build(directory=folder, compile=True, run=True, with_output=False)
        cpu_seconds = brian2.device._last_run_time
        counts = {name: (int(monitor.num_spikes), size) for name, (monitor, size) in spikes.items()}
        more = {name: value() if callable(value) else value for name, value in more.items()}
    finally:
        shutil.rmtree(folder)
    total, neurons = (sum(column) for column in zip(*counts.values()))
    print(json.dumps({
        "program": f"Brian2 {brian2.__version__}",
        "precision": "float" if arguments.single else "double",
        "cpu_seconds_per_biological_second": cpu_seconds / arguments.seconds,
        "rate_hz": total / neurons / arguments.seconds,
        "populations": {name: count / size / arguments.seconds for name, (count, size) in counts.items()},
        **more}))
