#!/usr/bin/env python3
"""The network of Brunel (2000, doi:10.1023/A:1008925309027) at 10,000 neurons with 1000 inputs each: 8000 excitatory
and 2000 inhibitory cells, J 0.1 mV, g 5, external drive of twice the threshold rate. It fires at about 43 Hz.

    brunel.py [--drive poisson|constant] [--stdp] [--seconds S] [--single]

The same network as `bench/simulation/brunel.toml`. --stdp: additive pair rule (Song et al. 2000) between excitatory
cells, weights in [0, 2 J], steps of 0.001 J up and 0.00105 J down, 20 ms both; slow enough for the rate to stay.
"""

import standalone
from brian2 import Hz, NeuronGroup, PoissonInput, SpikeMonitor, Synapses, ms, mV

parser = standalone.options(__doc__)
parser.add_argument("--drive", choices=["poisson", "constant"], default="poisson")
parser.add_argument("--stdp", action="store_true")
arguments = parser.parse_args()
random = standalone.prepare(arguments)

excitatory, inhibitory = 8000, 2000
inputs_e, inputs_i = 800, 200
tau, theta, reset, refractory, delay = 20 * ms, 20 * mV, 10 * mV, 2 * ms, 1.5 * ms
J, g, eta = 0.1 * mV, 5, 2
rate = eta * theta / (inputs_e * J * tau)  # of each of the 800 external inputs
constant = eta * theta if arguments.drive == "constant" else 0 * mV

neurons = NeuronGroup(excitatory + inhibitory, "dv/dt = (constant - v)/tau : volt (unless refractory)",
                      threshold="v > theta", reset="v = reset", refractory=refractory, method="exact")
neurons.v = "rand()*theta"
E, I = neurons[:excitatory], neurons[excitatory:]

if arguments.stdp:
    tau_stdp, up, down, w_max = 20 * ms, 0.001 * J, -0.00105 * J, 2 * J
    plastic = Synapses(E, E, """w : volt
                                dx/dt = -x/tau_stdp : volt (event-driven)
                                dy/dt = -y/tau_stdp : volt (event-driven)""",
                       on_pre="""v_post += w
                                 x += up
                                 w = clip(w + y, 0*volt, w_max)""",
                       on_post="""y += down
                                  w = clip(w + x, 0*volt, w_max)""", delay=delay)
    source, target = standalone.fixed_indegree(random, excitatory, excitatory, inputs_e)
    plastic.connect(i=source, j=target)
    plastic.w = J
    static = Synapses(E, I, on_pre="v_post += J", delay=delay)
    source, target = standalone.fixed_indegree(random, excitatory, inhibitory, inputs_e)
    static.connect(i=source, j=target)
    synapses = [plastic, static]
else:
    static = Synapses(E, neurons, on_pre="v_post += J", delay=delay)
    source, target = standalone.fixed_indegree(random, excitatory, excitatory + inhibitory, inputs_e)
    static.connect(i=source, j=target)
    synapses = [static]
inhibition = Synapses(I, neurons, on_pre="v_post -= g*J", delay=delay)
source, target = standalone.fixed_indegree(random, inhibitory, excitatory + inhibitory, inputs_i)
inhibition.connect(i=source, j=target)
synapses.append(inhibition)

drive = [PoissonInput(neurons, "v", inputs_e, rate, J)] if arguments.drive == "poisson" else []
monitors = {"E": (SpikeMonitor(E, record=False), excitatory), "I": (SpikeMonitor(I, record=False), inhibitory)}
more = {"drive": arguments.drive, "stdp": arguments.stdp}
if arguments.stdp:
    more["mean_weight_mV"] = lambda: float(plastic.w[:].mean() / mV)
standalone.measure(arguments, globals(), [neurons, *synapses, *drive], monitors, **more)
