#!/usr/bin/env python3
"""The current-based network of Vogels & Abbott (2005) as in benchmark 2 of Brette et al. (2007,
doi:10.1007/s10827-007-0038-6): 3200 excitatory and 800 inhibitory integrate-and-fire cells, each pair connected with
probability 0.02, exponential currents. Sustains itself. The same network as `recipes/cuba.toml`.
"""

import standalone
from brian2 import NeuronGroup, SpikeMonitor, Synapses, ms, mV

arguments = standalone.options(__doc__, seconds=5).parse_args()
standalone.prepare(arguments)

E_L, V_T, V_r, tau_m, tau_e, tau_i = -49 * mV, -50 * mV, -60 * mV, 20 * ms, 5 * ms, 10 * ms
neurons = NeuronGroup(4000, """dv/dt = (g_e + g_i + E_L - v)/tau_m : volt (unless refractory)
                               dg_e/dt = -g_e/tau_e : volt
                               dg_i/dt = -g_i/tau_i : volt""",
                      threshold="v > V_T", reset="v = V_r", refractory=5 * ms, method="exact")
neurons.v = "V_r + rand()*(V_T - V_r)"
E, I = neurons[:3200], neurons[3200:]
excitation = Synapses(E, neurons, on_pre="g_e_post += 1.62*mV", delay=0.1 * ms)
excitation.connect(p=0.02)
inhibition = Synapses(I, neurons, on_pre="g_i_post -= 9*mV", delay=0.1 * ms)
inhibition.connect(p=0.02)
monitors = {"E": (SpikeMonitor(E, record=False), 3200), "I": (SpikeMonitor(I, record=False), 800)}
standalone.measure(arguments, globals(), [neurons, excitation, inhibition], monitors)
