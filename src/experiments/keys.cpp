#include "experiments/keys.hpp"

#include "bouton/networks/rules.hpp"

namespace bouton::experiments {
namespace {

using settings::Key;
namespace key = settings::key;

template <typename D>
Key<D> later(std::string name, Later D::*member, std::string type, std::string fallback, std::string meaning) {
  return key::later<D>(std::move(name), member, std::move(type), std::move(fallback), std::move(meaning));
}

template <typename D>
Key<D> needed(std::string name, Later D::*member, std::string type, std::string meaning) {
  return key::required(later<D>(std::move(name), member, std::move(type), "", std::move(meaning)));
}

}  // namespace

const Section<RootDraft>& root_keys() {
  using D = RootDraft;
  static const Section<D> keys = {
      key::text<D>("name", &D::name, "what runs are called after; without it, the file's name"),
      key::text<D>("description", &D::description, "one sentence for `bouton list`: what it is, and the paper"),
      later<D>("simulation", &D::simulation, "section", "", "how it is run: `[simulation]`"),
      later<D>("constants", &D::constants, "section", "", "names for quantities: `[constants]`"),
      later<D>("neurons", &D::neurons, "sections", "", "neurons the populations may use: `[neurons.NAME]`"),
      needed<D>("populations", &D::populations, "sections", "the neurons of the network: `[populations.NAME]`"),
      later<D>("projections", &D::projections, "sections", "", "their synapses: one `[[projections]]` each"),
      later<D>("drives", &D::drives, "sections", "", "input from outside: one `[[drives]]` each"),
      later<D>("restructure", &D::restructure, "sections", "", "growth and pruning: one `[[restructure]]` each"),
      later<D>("record", &D::record, "section", "", "what is written down: `[record]`"),
      later<D>("variants", &D::variants, "sections", "", "other values by name: `[variants.NAME]`"),
      later<D>("scaling", &D::scaling, "section", "", "what `--scale` needs to keep the activity: `[scaling]`"),
  };
  return keys;
}

const Section<SimulationDraft>& simulation_keys() {
  using D = SimulationDraft;
  static const Section<D> keys = {
      later<D>("duration", &D::duration, "time, greater than 0", "\"1 s\"",
               "biological time of the run: recorded and counted in the statistics"),
      later<D>("settle", &D::settle, "time, at least 0", "\"0 ms\"", "time run before that, and not recorded"),
      later<D>("dt", &D::dt, "time, greater than 0", "\"0.1 ms\"", "length of a step"),
      key::seed<D>("seed", &D::seed,
                   "of all that is drawn: synapses, parameters, noise. The same seed gives the same spikes to the bit, "
                   "with any number of threads and ranks"),
      later<D>("precision", &D::precision, "`\"float\"`, `\"double\"`", "\"float\"", "of the neurons' equations"),
  };
  return keys;
}

const Section<NeuronDraft>& neuron_keys() {
  using D = NeuronDraft;
  static const Section<D> keys = {
      later<D>(
          "mechanism", &D::mechanism, "text", "",
          "a neuron of the catalogue (`bouton list mechanisms`), or a `.mech` file beside this one; `mechanism` or "
          "`text` is required"),
      later<D>("text", &D::text, "text", "", "the mechanism itself, between `'''`"),
      later<D>("channels", &D::channels, "table of channels", "",
               "channels put on the membrane, each under a name of your choice, which becomes a receptor: `{ exc = "
               "\"ampa\", slow = { mechanism = \"nmda\", into = \"I\" } }`. Their parameters are called `exc_g`"),
      later<D>("parameters", &D::parameters, "table of quantities or draws", "",
               "values instead of the mechanism's own: `{ tau_m = \"20 ms\", V_T = \"normal(20 mV, 1 mV)\" }`. What is "
               "drawn, each neuron draws for itself"),
      later<D>("initial", &D::initial, "table of quantities or draws", "",
               "states at the start instead of the mechanism's own: `{ v = \"uniform(0 mV, 20 mV)\" }`"),
  };
  return keys;
}

const Section<ChannelDraft>& channel_keys() {
  using D = ChannelDraft;
  static const Section<D> keys = {
      needed<D>("mechanism", &D::mechanism, "text", "a channel of the catalogue, or a `.mech` file beside this one"),
      later<D>("into", &D::into, "text", "the only one of its unit", "the neuron's input that its current is added to"),
  };
  return keys;
}

const Section<PopulationDraft>& population_keys() {
  using D = PopulationDraft;
  static const Section<D> keys = {
      later<D>("neuron", &D::neuron, "text", "",
               "a `[neurons.NAME]` of this file, a neuron of the catalogue, or a `.mech` file beside this one; "
               "`neuron` or `generator` is required"),
      later<D>("generator", &D::generator, "`\"poisson\"`, `\"regular\"`, `\"trains\"`", "",
               "neurons without equations that fire by a rule. `poisson`: at random, independently. `regular`: like "
               "clocks. `trains`: at given times"),
      later<D>("size", &D::size, "integer, at least 1", "1; with `names`, as many", "neurons"),
      later<D>("names", &D::names, "list of texts, or table", "",
               "what its neurons are called in tables of `edges`; from a file: `[populations.NAME.names]`"),
      later<D>("parameters", &D::parameters, "table of quantities or draws", "",
               "as in `[neurons.NAME]`, for this population"),
      later<D>("initial", &D::initial, "table of quantities or draws", "",
               "as in `[neurons.NAME]`, for this population"),
      later<D>("positions", &D::positions, "table", "", "where they lie: `[populations.NAME.positions]`"),
      later<D>("rate", &D::rate, "frequency, or an expression of t", "required",
               "of `poisson` and `regular`: each neuron's rate, such as `\"20 Hz*(1 + sin(2*pi*5*Hz*t))\"`; "
               "`regular` takes its value at t = 0"),
      later<D>("start", &D::start, "time, at least 0", "\"0 ms\"", "no generated spikes before; `regular` begins here"),
      later<D>("stop", &D::stop, "time, at least 0", "never", "and none from here on"),
      later<D>("stagger", &D::stagger, "time, at least 0", "\"0 ms\"",
               "of `regular`: how much later each neuron fires than the one before it"),
      later<D>("file", &D::file, "text", "",
               "of `trains`: a CSV file with columns `neuron` and `time_ms` or `time_s`, or a SONATA file of spikes "
               "(`.h5`); where it holds several populations, the one of this name is taken"),
      later<D>("times", &D::times, "list of times", "", "of `trains`, without a file: when a neuron fires"),
      later<D>("neurons", &D::neurons, "list of integers, at least 0", "all 0", "and which, one for each of `times`"),
  };
  return keys;
}

const Section<PositionsDraft>& positions_keys() {
  using D = PositionsDraft;
  static const Section<D> keys = {
      later<D>("grid", &D::grid, "list of two integers", "",
               "columns and rows, as many places as there are neurons; without it each neuron lies at random"),
      later<D>("extent", &D::extent, "list of two or three lengths", "[\"1 mm\", \"1 mm\"]", "width, height and depth"),
      key::boolean<D>("periodic", &D::periodic, "whether distances go across the borders"),
  };
  return keys;
}

const Section<ProjectionDraft>& projection_keys() {
  using D = ProjectionDraft;
  static const Section<D> keys = [] {
    Key<D> name = key::text<D>("name", &D::name, "what recorders and errors call it; without it, `E->I`");
    name.read = [read = name.read](const TomlValue& value, D& draft) {
      draft.name_value = value;
      read(value, draft);
    };
    return Section<D>{
        std::move(name),
        needed<D>("source", &D::source, "text, or list of texts",
                  "the population whose spikes travel. With a list here or in `target` there is a projection for each "
                  "pair; `weight`, `delay`, `probability` and the numbers may then be lists with a value for each "
                  "source, or matrices with a row for each target; a 0 leaves a pair out"),
        needed<D>("target", &D::target, "text, or list of texts", "the population where they arrive"),
        later<D>("rule", &D::rule, settings::key::choices_text(rule_names()), "required, but for `edges`",
                 "who connects to whom"),
        later<D>("indegree", &D::indegree, "integer, at least 0", "required", "of `fixed_indegree`: synapses a target"),
        later<D>("outdegree", &D::outdegree, "integer, at least 0", "required",
                 "of `fixed_outdegree`: synapses a source"),
        later<D>("number", &D::number, "integer, at least 0", "",
                 "of `fixed_total_number`: synapses in all; `number` or `probability` is required"),
        later<D>(
            "probability", &D::probability, "number, at least 0 and at most 1", "required",
            "of `pairwise_bernoulli`: for each pair. Of `fixed_total_number`: that a pair has at least one synapse, "
            "so that there are log(1 - p)/log(1 - 1/(sources*targets)) in all (Potjans & Diesmann 2014)"),
        later<D>("kernel", &D::kernel, "table", "required",
                 "of `distance_dependent`: how the probability falls, `[projections.kernel]`"),
        later<D>("edges", &D::edges, "text, or table", "required",
                 "of `explicit_list`: a file of synapses, CSV with columns `source`, `target` and optionally `weight` "
                 "and `delay` (in milliseconds), or SONATA (`.h5`); what else a file may hold: `[projections.edges]`"),
        later<D>("weight", &D::weight, "quantity or draw", "required, but for `edges` with weights",
                 "in the unit of the receptor; drawn for each synapse: `\"normal(0.1 mV, 0.01 mV, lower = 0 mV)\"`, "
                 "`uniform(low, high)`, `lognormal(mean, deviation)`, `exponential(mean)`"),
        later<D>("delay", &D::delay, "time or draw", "\"1 ms\"",
                 "from the spike to its arrival, at least one step; drawn for each synapse, rounded to whole steps"),
        later<D>("receptor", &D::receptor, "text", "the only one",
                 "the target's input: one of its mechanism, or a channel's name"),
        later<D>("synapse", &D::synapse, "text", "static",
                 "a synapse of the catalogue, or a `.mech` file beside this one: plasticity, short-term dynamics"),
        later<D>("parameters", &D::parameters, "table of quantities", "",
                 "of the synapse, instead of the mechanism's own"),
        later<D>("initial", &D::initial, "table of quantities or draws", "",
                 "the synapse's states at the start; its weight is `weight`"),
        later<D>("modulators", &D::modulators, "table of expressions of t", "",
                 "the synapse's third factors over time: `{ dopamine = \"2 Hz*int(t > 1*second)\" }`"),
        later<D>("axonal_share", &D::axonal_share, "number, at least 0 and at most 1", "1",
                 "of the delay; the rest is dendritic. Plasticity alone tells them apart"),
        key::boolean<D>("multapses", &D::multapses, "whether a pair may have several synapses (`fixed_` rules)"),
        key::boolean<D>("autapses", &D::autapses, "whether a neuron may connect to itself"),
        key::boolean<D>("exact_weights", &D::exact_weights,
                        "whether drawn static weights are kept to 32 bits; else they are rounded to fewer"),
    };
  }();
  return keys;
}

const Section<EdgesDraft>& edges_keys() {
  using D = EdgesDraft;
  static const Section<D> keys = {
      needed<D>("file", &D::file, "text",
                "a table: a first line of names, then a line each; or SONATA (`.h5`). Populations with `names` are "
                "named in tables, and rows of other neurons are left out; else neurons are numbers from 0"),
      later<D>("source", &D::source, "text", "\"source\"", "the column of sources"),
      later<D>("target", &D::target, "text", "\"target\"", "the column of targets"),
      later<D>("weight", &D::weight, "text", "`weight` where there is one", "the column of weights; `\"\"` for none"),
      later<D>("weight_unit", &D::weight_unit, "quantity", "1 in SI, or in the receptor's signal",
               "what a weight of 1 in the file stands for"),
      later<D>("delay", &D::delay, "text", "`delay` where there is one", "the column of delays; `\"\"` for none"),
      later<D>("delay_unit", &D::delay_unit, "time, greater than 0", "\"1 ms\"",
               "what a delay of 1 in the file stands for"),
      later<D>("population", &D::population, "text", "the only one", "of a SONATA file: the population of edges"),
      later<D>("where", &D::where, "table of texts", "", "only rows with these values: `{ Type = \"S\" }`"),
  };
  return keys;
}

const Section<NamesDraft>& names_keys() {
  using D = NamesDraft;
  static const Section<D> keys = {
      needed<D>("file", &D::file, "text", "a table of neurons"),
      needed<D>("column", &D::column, "text", "the column of their names; each counts once, in the file's order"),
      later<D>("where", &D::where, "table of texts", "", "only rows with these values: `{ kind = \"motor\" }`"),
  };
  return keys;
}

const Section<KernelDraft>& kernel_keys() {
  using D = KernelDraft;
  static const Section<D> keys = {
      later<D>("shape", &D::shape, "`\"gaussian\"`, `\"exponential\"`, `\"box\"`", "\"gaussian\"",
               "of the probability at distance r: p exp(-r^2/(2 s^2)), p exp(-r/s), or p for r < s"),
      later<D>("peak", &D::peak, "number, at least 0 and at most 1", "1", "p"),
      needed<D>("scale", &D::scale, "length, greater than 0", "s"),
      later<D>("cutoff", &D::cutoff, "length, greater than 0", "none", "no synapses beyond"),
  };
  return keys;
}

const Section<DriveDraft>& drive_keys() {
  using D = DriveDraft;
  static const Section<D> keys = {
      needed<D>("target", &D::target, "text, or list of texts",
                "the population; with a list, the numbers of the drive may be lists with a value for each"),
      later<D>("poisson", &D::poisson, "table", "",
               "random spikes, independent in each neuron: `[drives.poisson]`; `poisson` or `current` is required"),
      later<D>("current", &D::current, "table", "", "a current: `[drives.current]`"),
  };
  return keys;
}

const Section<PoissonDraft>& poisson_keys() {
  using D = PoissonDraft;
  static const Section<D> keys = {
      later<D>("sources", &D::sources, "number, at least 0", "1", "neurons outside that project to each neuron"),
      needed<D>("rate", &D::rate, "frequency, or an expression of t", "how often each of them fires"),
      needed<D>("weight", &D::weight, "quantity", "of each spike, in the unit of the receptor"),
      later<D>("receptor", &D::receptor, "text", "the only one", "where the spikes arrive"),
  };
  return keys;
}

const Section<CurrentDraft>& current_keys() {
  using D = CurrentDraft;
  static const Section<D> keys = {
      later<D>("signal", &D::signal, "quantity, or an expression of t", "0",
               "in the unit of the input: `\"200 pA*int(t > 100*ms)\"`"),
      later<D>("amplitude", &D::amplitude, "number or draw", "1", "each neuron's own factor on the signal"),
      later<D>("noise", &D::noise, "quantity, at least 0", "0",
               "standard deviation of what is added at random, each neuron its own"),
      later<D>("correlation_time", &D::correlation_time, "time, at least 0", "0 ms",
               "of the noise, an Ornstein-Uhlenbeck process; 0: drawn afresh at each step"),
      later<D>("input", &D::input, "text", "the only one", "where the current enters"),
      later<D>("playback", &D::playback, "text", "",
               "a CSV file added to the signal: a row for each `interval`, one column for all neurons or one each; the "
               "last row stays"),
      later<D>("interval", &D::interval, "time, greater than 0", "required with `playback`", "from row to row"),
      later<D>("unit", &D::unit, "quantity", "required with `playback`", "what a 1 in the file stands for: `\"1 pA\"`"),
  };
  return keys;
}

const Section<RestructureDraft>& restructure_keys() {
  using D = RestructureDraft;
  static const Section<D> keys = {
      needed<D>("projection", &D::projection, "text", "a plastic projection by its name"),
      later<D>("interval", &D::interval, "time, greater than 0", "\"100 ms\"",
               "between two rounds of growth and pruning"),
      needed<D>("threshold", &D::threshold, "quantity", "synapses weaker than this are removed"),
      needed<D>("initial_weight", &D::initial_weight, "quantity",
                "that of the new ones, as many as were removed, onto the same neuron"),
  };
  return keys;
}

const Section<RecordDraft>& record_keys() {
  using D = RecordDraft;
  static const Section<D> keys = {
      later<D>("spikes", &D::spikes, "true or false, or list of populations", "true",
               "whose spikes are kept; statistics and pictures need them"),
      later<D>("states", &D::states, "list of tables", "", "states over time: `[[record.states]]`"),
      later<D>("weights", &D::weights, "list of tables", "", "weights over time: `[[record.weights]]`"),
      later<D>("format", &D::format, "`\"hdf5\"`, `\"csv\"`, or a list of them", "\"hdf5\"", "of the files"),
  };
  return keys;
}

const Section<StateRecordDraft>& state_record_keys() {
  using D = StateRecordDraft;
  static const Section<D> keys = {
      needed<D>("population", &D::population, "text", "whose"),
      needed<D>("state", &D::state, "text", "a state of its mechanism, or `output`"),
      later<D>("interval", &D::interval, "time, greater than 0", "\"1 ms\"", "from one value to the next"),
      later<D>("neurons", &D::neurons, "integer, or list of integers", "all",
               "a number: that many, the first ones; a list: these"),
  };
  return keys;
}

const Section<WeightRecordDraft>& weight_record_keys() {
  using D = WeightRecordDraft;
  static const Section<D> keys = {
      needed<D>("projection", &D::projection, "text", "by its name"),
      later<D>("interval", &D::interval, "time, greater than 0", "none",
               "from one record to the next, besides those at the beginning and the end of the recorded time"),
  };
  return keys;
}

const Section<ScalingDraft>& scaling_keys() {
  using D = ScalingDraft;
  static const Section<D> keys = {
      needed<D>("rates", &D::rates, "table of frequencies",
                "the rate of every population that projects, at full size: `{ E = \"8 Hz\", I = \"9 Hz\" }`"),
      later<D>("input", &D::input, "text", "the only one", "where the current enters that makes up for lost input"),
      needed<D>("time_constant", &D::time_constant, "time, greater than 0",
                "what a spike's weight is multiplied by to give the charge of its current: the decay, where currents "
                "decay exponentially"),
  };
  return keys;
}

std::vector<settings::SectionDescription> simulation_sections() {
  std::vector<settings::SectionDescription> s;
  const auto add = [&](std::string heading, std::string meaning, const auto& section) {
    settings::describe(s, std::move(heading), std::move(meaning), section);
  };
  add("Top level", "The file itself.", root_keys());
  add("[simulation]", "How the network is run.", simulation_keys());
  s.push_back({"[constants]",
               "Names for quantities, usable wherever a quantity stands, in each other too, in any order.",
               {{"NAME", "quantity", "", "letters, digits and `_`; hides a unit of the same name"}}});
  add("[neurons.NAME]", "A neuron the populations may use, under a name of your choice.", neuron_keys());
  add("[neurons.NAME.channels.NAME]", "A channel, where its name alone does not say enough.", channel_keys());
  add("[populations.NAME]", "Neurons of one kind, or generators of spikes.", population_keys());
  add("[populations.NAME.positions]", "Places in the plane or in space, for `distance_dependent` projections.",
      positions_keys());
  add("[populations.NAME.names]", "Names of neurons from a table.", names_keys());
  add("[[projections]]", "Synapses from one population to another.", projection_keys());
  add("[projections.edges]", "Synapses from a file.", edges_keys());
  add("[projections.kernel]", "Probability of a synapse by distance.", kernel_keys());
  add("[[drives]]", "Input from outside the network.", drive_keys());
  add("[drives.poisson]", "Spikes as from many neurons that project nowhere else.", poisson_keys());
  add("[drives.current]", "A current, or whatever the input measures: amplitude * signal + noise + playback.",
      current_keys());
  add("[[restructure]]",
      "Structural plasticity: synapses that have become weak are replaced (Butz & van Ooyen 2013, "
      "doi:10.1371/journal.pcbi.1003259, in its simplest form).",
      restructure_keys());
  add("[record]", "What is written down.", record_keys());
  add("[[record.states]]", "A state of some neurons over time.", state_record_keys());
  add("[[record.weights]]", "The weights of a projection over time.", weight_record_keys());
  s.push_back({"[variants.NAME]",
               "Values put in the place of the file's own by `--variant NAME`.",
               {{"PATH", "any", "",
                 "a key of this file by its path: `\"constants.g\" = 6`, `\"projections.E->I.weight\" = \"1 mV\"`, "
                 "`\"drives[1].poisson.rate\" = \"2 Hz\"`; or a section: `[variants.NAME.simulation]`"}}});
  add("[scaling]",
      "`--scale s` makes populations and in-degrees s times as large and weights 1/sqrt(s) times, which keeps the "
      "variance of the input; a current makes up for the lost mean (van Albada, Helias & Diesmann 2015, "
      "doi:10.1371/journal.pcbi.1004490).",
      scaling_keys());
  return s;
}

}  // namespace bouton::experiments
