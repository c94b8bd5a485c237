"""Runs neurons of the catalogue in Brian2 and in Bouton and compares every state after every step.

The equations, parameters, threshold, reset and refractoriness that Brian2 gets are the lines of the .mech file itself,
with only the spelling of quantities changed (20 ms -> 20*ms). Solver, step and input are the same on both sides, so the
two do the same arithmetic up to rounding: another order of a sum, another exp. States must agree to TOLERANCE of their
range; a difference in the method, in the order within a step or in the counting of refractory steps is larger by many
orders of magnitude. Cells that amplify rounding (a runaway before each spike, a coarse step that is nearly chaotic) get
the tolerance stated at their case.

Exit codes: 0 same, 1 different, 77 Brian2 is not installed (the test is skipped).
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

TOLERANCE = 1e-9

UNIT = r"(?:[munpkMG]?(?:V|A|S|F|s|Hz|ohm|volt|amp|siemens|farad|second))"


def to_brian(text):
    """'20 ms' -> '20*ms'; everything else is Brian2's own language."""
    return re.sub(rf"(?<![\w.])(\d+\.?\d*(?:[eE][+-]?\d+)?)\s+({UNIT})\b", r"\1*\2", text)


class Mechanism:
    """The lines of a .mech file, sorted; nothing is interpreted beyond what Brian2 leaves to Python."""

    def __init__(self, path):
        self.parameters, self.inputs, self.equations, self.initial = {}, {}, [], {}
        self.arrivals, self.each_step, self.reset = {}, [], []
        self.threshold = self.refractory_time = self.refractory_while = None
        block = None
        for line in joined_lines(path.read_text()):
            indent = len(line) - len(line.lstrip())
            line = line.strip()
            if indent >= 4 and block is not None:
                block.append(to_brian(line))
                continue
            block = None
            if m := re.fullmatch(r"parameter (\w+)\s*=\s*(.*?)(\s+in\s+[\[(].*)?(\s+trainable)?", line):
                self.parameters[m[1]] = to_brian(re.sub(r"\s+trainable$", "", m[2]).strip())
            elif m := re.fullmatch(r"on input (\w+)\s*:\s*(.*?)(\s+in units of.*)?:", line):
                self.inputs[m[1]] = m[2]
                block = self.arrivals.setdefault(m[1], [])
            elif m := re.fullmatch(r"input (\w+)\s*:\s*(.*?)(\s+in units of.*)?", line):
                self.inputs[m[1]] = m[2]
            elif m := re.fullmatch(r"initially (\w+)\s*=\s*(.*)", line):
                self.initial[m[1]] = to_brian(m[2])
            elif line == "each step:":
                block = self.each_step
            elif m := re.fullmatch(r"spike when (.*?):?", line):
                self.threshold = to_brian(m[1])
                block = self.reset
            elif m := re.fullmatch(r"refractory while (.*)", line):
                self.refractory_while = to_brian(m[1])
            elif m := re.fullmatch(r"refractory (.*)", line):
                self.refractory_time = to_brian(m[1])
            elif re.match(r"(neuron|output|solver|surrogate)\b|\"", line):
                pass
            else:
                self.equations.append(to_brian(line))

    @property
    def states(self):
        found = []
        for line in self.equations:
            if m := re.match(r"d(\w+)/dt\s*=", line) or re.match(r"(\w+)\s*:[^=]*$", line):
                found.append(m[1])
        return found


def joined_lines(text):
    """Lines without comments, with those that end inside a parenthesis joined to the next."""
    pending = ""
    for line in text.splitlines():
        if '"' not in line:
            line = line.split("#")[0].rstrip()
        if not line.strip():
            continue
        pending = pending + " " + line.strip() if pending else line
        balance = pending.count("(") + pending.count("[") - pending.count(")") - pending.count("]")
        if balance > 0 and '"' not in pending and " in " not in pending:
            continue
        yield pending
        pending = ""


class Case:
    def __init__(self, name, method, dt_ms, steps, drive, tolerance=TOLERANCE, mean=1.0, parameters=None):
        self.name, self.method, self.dt_ms, self.steps = name, method, dt_ms, steps
        self.drive, self.mean, self.tolerance = drive, mean, tolerance
        self.parameters = parameters or {}

    @property
    def title(self):
        return f"{self.name} ({self.method or 'difference equations'})"


def pieces(case, scale, sparse):
    """The input, SI: held for 50 steps at a time, drawn from a fixed sequence; arrivals for impulse inputs."""
    value, values, level = 12345, [], 0.0
    for step in range(case.steps):
        value = (1103515245 * value + 12345) % 2**31
        if sparse:
            values.append(scale * case.drive * (value / 2**31) if value % 97 < 12 else 0.0)
            continue
        if step % 50 == 0:
            level = scale * case.drive * (case.mean + (value / 2**31 - 0.5))
        values.append(level)
    return values


CASES = [
    Case("lif", "exact", 0.1, 3000, 300e-12),
    Case("lif", "euler", 0.1, 3000, 300e-12),
    Case("lif", "rk2", 0.1, 3000, 300e-12),
    Case("lif_delta", "exact", 0.1, 3000, 20e-3),
    Case("lif_exponential", "exact", 0.1, 3000, 1.5e-9),
    Case("lif_alpha", "exact", 0.1, 3000, 1e-9),
    Case("leaky_integrator", "exact", 1, 500, 1.0),
    Case("integrate_and_fire", "euler", 0.1, 2000, 1e-9),
    Case("adaptive_lif", "exact", 0.5, 2000, 2.0),
    Case("resonate_and_fire", "exact", 0.5, 2000, 1.2),
    Case("quadratic_if", "rk4", 0.1, 3000, 200e-12, tolerance=1e-7),
    Case("exponential_if", "rk2", 0.1, 3000, 0.5e-2, tolerance=1e-7),
    Case("adex", "rk2", 0.05, 3000, 900e-12, tolerance=1e-7),
    Case("adex", "euler", 0.05, 3000, 900e-12, tolerance=1e-7),
    Case("izhikevich", "rk2", 0.1, 3000, 12e-3, tolerance=1e-7),
    Case("izhikevich", "euler", 0.1, 3000, 12e-3, tolerance=1e-7),
    Case("fitzhugh_nagumo", "rk4", 0.5, 3000, 0.6),
    Case("fitzhugh_nagumo", "euler", 0.5, 3000, 0.6),
    Case("hodgkin_huxley", "exponential_euler", 0.02, 2500, 0.12),
    Case("hodgkin_huxley", "rk4", 0.02, 2500, 0.12),
    Case("traub_miles", "exponential_euler", 0.02, 2500, 0.05),
    Case("connor_stevens", "exponential_euler", 0.02, 2500, 0.2, tolerance=1e-7),
    Case("morris_lecar", "euler", 0.1, 5000, 1.2),
    Case("morris_lecar", "rk4", 0.1, 5000, 1.2),
    Case("wilson_cowan", "rk4", 0.5, 2000, 1.25),
    Case("wilson_cowan", "rk2", 0.5, 2000, 1.25),
    Case("snntorch_leaky", None, 1, 400, 0.3),
    Case("spikingjelly_lif_soft", None, 1, 400, 1.5),
    Case("norse_lif", None, 1, 400, 0.6),
    Case("izhikevich_2003", None, 1, 500, 10.0, tolerance=1e-6),
]


def run_brian(b2, np, mechanism, case, inputs):
    """States over time, as {name: array}, and the spike steps."""
    b2.start_scope()
    dt = case.dt_ms * b2.ms
    b2.defaultclock.dt = dt
    namespace = {name: eval(text, vars(b2).copy()) for name, text in mechanism.parameters.items()}
    for name, value in case.parameters.items():
        namespace[name] = b2.Quantity(value, dim=b2.get_dimensions(namespace[name]))
    namespace["minimum"] = b2.Function(np.minimum, arg_units=["x", "x"], arg_names=["x", "y"],
                                       return_unit=lambda x, y: x)
    namespace["sigmoid"] = b2.Function(lambda x: 1 / (1 + np.exp(-x)), arg_units=[1], return_unit=1)
    lines = list(mechanism.equations)
    # An input is held during a step: a parameter set at the step's start, not a function of time seen by every stage.
    waves = {}
    for name, unit in mechanism.inputs.items():
        lines.append(f"{name} : {unit}")
        dimension = eval(unit, vars(b2).copy()) if unit != "1" else 1
        waves[f"{name}_wave"] = b2.TimedArray(np.asarray(inputs[name]) * dimension, dt=dt)
    namespace.update(waves)
    options = {}
    if mechanism.threshold:
        options.update(threshold=mechanism.threshold, reset="\n".join(mechanism.reset))
    if mechanism.refractory_while:
        options["refractory"] = mechanism.refractory_while
    elif mechanism.refractory_time:
        options["refractory"] = eval(mechanism.refractory_time, vars(b2).copy(), dict(namespace))
    group = b2.NeuronGroup(1, "\n".join(lines), method=case.method or "euler", namespace=namespace, **options)
    for state, value in mechanism.initial.items():
        setattr(group, state, eval(value, vars(b2).copy(), dict(namespace)))
    for name in mechanism.inputs:
        group.run_regularly(f"{name} = {name}_wave(t)", when="start", dt=dt)
    if mechanism.each_step:
        group.run_regularly("\n".join(mechanism.each_step), when="after_groups", order=0, dt=dt)
    for statements in mechanism.arrivals.values():
        group.run_regularly("\n".join(statements), when="after_groups", order=1, dt=dt)
    monitor = b2.StateMonitor(group, mechanism.states, record=True, when="end")
    spikes = b2.SpikeMonitor(group) if mechanism.threshold else None
    b2.run(case.steps * dt)
    traces = {state: np.asarray(getattr(monitor, state))[0] for state in mechanism.states}
    return traces, np.round(np.asarray(spikes.t) / float(dt)).astype(int) if spikes else None


def run_bouton(np, program, path, case, inputs, folder):
    command = [program, str(path), "--dt", repr(case.dt_ms * 1e-3), "--steps", str(case.steps)]
    if case.method:
        command += ["--solver", case.method]
    for name, values in inputs.items():
        file = pathlib.Path(folder) / f"{name}.csv"
        file.write_text("\n".join(repr(v) for v in values))
        command += ["--input", f"{name}={file}"]
    for name, value in case.parameters.items():
        command += ["--set", f"{name}={value!r}"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(run.stderr.strip())
    header, *rows = run.stdout.splitlines()
    table = np.array([[float(x) for x in row.split(",")] for row in rows])
    columns = dict(zip(header.split(","), table.T))
    return columns, np.nonzero(columns.pop("output") > 0.5)[0]


def compare(b2, np, case, options, folder):
    """A line for the report; None when the two agree."""
    path = next(pathlib.Path(options.catalogue).rglob(f"{case.name}.mech"))
    mechanism = Mechanism(path)
    inputs = {name: [0.0] * case.steps for name in mechanism.inputs}
    first = next(iter(mechanism.inputs))
    inputs[first] = pieces(case, 1.0, first in mechanism.arrivals)
    expected, expected_spikes = run_brian(b2, np, mechanism, case, inputs)
    if options.planted:  # one part in a million of the drive is a difference that must be seen
        inputs[first] = [v * (1 + 1e-6) for v in inputs[first]]
    actual, actual_spikes = run_bouton(np, options.program, path, case, inputs, folder)
    worst, where = 0.0, ""
    for state in mechanism.states:
        scale = max(np.ptp(expected[state]), 1e-300)
        difference = np.abs(actual[state] - expected[state]) / scale
        if not np.isfinite(difference).all():
            return f"{state} is not finite", 0, np.inf
        if difference.max() > worst:
            worst, where = difference.max(), f"{state} at step {int(difference.argmax())}"
    count = 0 if expected_spikes is None else len(expected_spikes)
    if expected_spikes is not None and not np.array_equal(expected_spikes, actual_spikes):
        spikes = f"Brian2 {expected_spikes[:8]}..., Bouton {actual_spikes[:8]}..."
        return f"spikes differ: {spikes}; {where} off by {worst:.1e}", count, worst
    if worst > case.tolerance:
        return f"{where} is off by {worst:.2e} of its range, more than {case.tolerance:.0e}", count, worst
    return None, count, worst


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--catalogue", required=True, help="the folder of .mech files")
    arguments.add_argument("--program", required=True, help="trace_mechanism")
    arguments.add_argument("--only", help="compare only this neuron")
    arguments.add_argument("--planted", action="store_true", help="plant a difference and expect every case to see it")
    options = arguments.parse_args()
    import warnings
    warnings.filterwarnings("ignore")
    try:
        import brian2 as b2
        import numpy as np
    except ImportError as error:
        print(f"skipped: Brian2 is not installed ({error}); on Debian: apt install python3-brian")
        return 77
    b2.prefs.codegen.target = "numpy"
    b2.BrianLogger.suppress_name("")
    failures = 0
    cases = [c for c in CASES if options.only in (None, c.name)]
    if options.planted:
        cases = [c for c in cases if c.name in ("lif", "fitzhugh_nagumo", "hodgkin_huxley")]
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            try:
                problem, spikes, worst = compare(b2, np, case, options, folder)
            except Exception as error:  # one broken case must not hide the others
                problem, spikes, worst = f"{type(error).__name__}: {error}", 0, float("nan")
            bad = (problem is None) if options.planted else (problem is not None)
            failures += bad
            print(f"{'DIFFERENT' if problem else 'same     '} {case.title:42s} {case.steps} steps, {spikes} spikes, "
                  f"worst {worst:.1e}{': ' + problem if problem else ''}", flush=True)
    kinds = len({c.name for c in cases})
    print(f"{len(cases)} runs of {kinds} neurons, {failures} not as expected")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
