/* What a compiled synapse exports. This header is plain C and is printed verbatim at the top of every emitted unit.

   A projection's synapses lie in rows: all synapses of one source with one delay stand together, as columns (target,
   weight, further states), so that a spike's arrival touches one stretch of memory. What all synapses of an axon share
   is kept once per source, what all synapses on a dendrite share once per target; the kernel's compiler finds out what
   that is. Everything here is single precision.

   TIME is counted in whole steps. A spike of source s emitted at step k arrives at its synapses of delay D at step
   k + D. Within step n:
     1. every()      if n is a multiple of the rule's interval and n > 0
     2. arrive()     the arrivals of step n
     3. the neurons' own step n, which uses what has arrived
     4. axon_spike() for the neurons that fired, post_scan() and post_event() for the targets with an event
   A post event of step n therefore comes after a pre arrival of step n: it is counted as caused by it. All events of a
   target that the history holds lie before the step that an arrive, update, every or read call is for; at most one
   falls into a step.

   LAZY REPLAY. A post event is only noted (post_event); a synapse learns of it when it is next touched, by arrive,
   update or every, which first replay the events of its target in [since, step), in order. For one segment the caller
   keeps these numbers (0 is the first step):
     previous  the step to which axon_before belongs: the arrival step of the last spike of the source that has arrived
               here; D when none has (initial values hold until step 0 of the axon's clock)
     updated   the larger of the step of that arrival (0 when none) and of the last every()
     since     the larger of updated and `flushed`, the step of the last update() that went over all synapses
   Nothing depends on when update() is called: it replays the very operations that arrive() would do later. Results do
   not depend on how segments are cut or ordered, on threads or ranks.

   Functions are thread safe as long as no two calls share a slice of targets. */
#ifndef BOUTON_SYNAPSE_ABI_H
#define BOUTON_SYNAPSE_ABI_H
#define BOUTON_SYNAPSE_ABI_VERSION 1

/* What all segments of a call have in common: one projection in one slice of targets. Steps are below 2^31. */
typedef struct bouton_synapse_args {
  const void* prepared;     /* [prepared_bytes], from prepare() */
  long step;                /* now */
  unsigned long long seed;  /* of rand(), which is drawn from (seed, id of the synapse, step, draw) */
  long targets;             /* neurons of the slice */
  const unsigned* target;   /* [synapses of the slice]: index of the target within the slice */
  float* const* states;     /* [synapse_states][synapses of the slice]; states[0] is the weight */
  void* history;            /* targets * history_row_bytes(capacity), 64-byte aligned; begun by history_start() */
  long capacity;            /* events a target's history holds, at least 4; rows are padded to lines of the cache */
  long flushed;             /* post_event: events before this step have been replayed at all synapses of the slice */
  const float* const* post; /* [post_variables][targets]: variables of the post neurons, as they stand now */
  const float* const* pre;  /* [pre_variables][sources]: of the pre neurons; current() and every_row() only */
  const float* modulators;  /* [modulators], now; every() and every_row() only */
  float quanta;             /* accumulator units per SI unit delivered: 1/quantum */
  int* accumulator;         /* [targets]; arrive adds the nearest whole number of quanta for each synapse, wrapping */
} bouton_synapse_args;

/* Synapses [first, first + count) of the slice: of one source, with one delay. */
typedef struct bouton_synapse_segment {
  long first, count;
  unsigned long long first_id;   /* global id of the first synapse; ids of a segment are consecutive */
  long previous, updated, since; /* see above */
  const float* axon_before;      /* [axon_states] just after the source's previous spike; the initial ones when none */
  const float* axon_values;      /* [axon_values] of the arriving spike, from axon_spike(); arrive only */
} bouton_synapse_segment;

/* For rules with a continuous current, whose synapses lie in rows by target: those of target j are
   [row[j], row[j + 1]). Each target's sum is taken in the order of its row. */
typedef struct bouton_synapse_rows {
  long first_target, end_target;
  const long* row;             /* [targets + 1] */
  const unsigned* source;      /* [synapses of the slice]: index into the arrays of `pre` */
  unsigned long long first_id; /* global id of synapse row[first_target]; ids are consecutive */
} bouton_synapse_rows;

/* How an arrival becomes what is delivered. A caller with packed weights may serve the first two itself. */
enum {
  BOUTON_DELIVERS_WEIGHT = 0, /* the weight, and nothing changes */
  BOUTON_DELIVERS_SCALED = 1, /* the weight times axon_values[0], and no synapse changes */
  BOUTON_DELIVERS_OTHER = 2   /* call arrive() */
};

typedef struct bouton_synapse_kernel {
  unsigned abi_version;
  const char* name;
  const char* identity; /* hex hash of the synapse's meaning and the ABI */
  int delivers;         /* BOUTON_DELIVERS_... */
  int parameters, synapse_states, axon_states, axon_values, dendrite_states;
  int post_variables, pre_variables, modulators;
  const char* const* parameter_names;
  const char* const* synapse_state_names; /* the weight first */
  const char* const* axon_state_names;
  const char* const* dendrite_state_names;
  const char* const* post_variable_names; /* of the neuron, without the suffix _post */
  const char* const* pre_variable_names;
  const char* const* modulator_names;
  long prepared_bytes;

  /* parameters: [parameters] in double, SI. prepared: 64-byte aligned; constant over a run, shareable by threads. */
  void (*prepare)(const double* parameters, double dt, void* prepared);
  /* Initial values: synapse [synapse_states] (the weight's is the projection's to draw), axon [axon_states]. */
  void (*initial)(const void* prepared, float* synapse, float* axon);
  /* Seconds between two every() calls. Null when the rule has none. */
  double (*every_interval)(const double* parameters);

  /* Brings one source's axon states from its previous spike (or from step 0) over `elapsed` steps to this one, runs
     their part of `on pre` and writes what the synapses need of it. pre: [pre_variables] of the neuron that fired.
     Null when axon_states and axon_values are 0. */
  void (*axon_spike)(const void* prepared, long elapsed, const float* pre, float* axon, float* values);

  /* The history of post events; all null when the rule has no `on post`. */
  long (*history_row_bytes)(long capacity); /* a multiple of 64 */
  void (*history_start)(const bouton_synapse_args*);
  /* The targets of [begin, end) with an event now, ascending, for `on post when`; null when the rule's event is the
     spike. Returns how many; `events` has room for end - begin. */
  long (*post_scan)(const bouton_synapse_args*, long begin, long end, unsigned* events);
  /* Notes an event at each of `count` targets, with what the replay will need; one call a step. Returns 1, or 0 when
     the row of one of them is full, that is, holds as many events since `flushed` as fit: then nothing has been noted;
     update() all synapses of the slice, set `flushed` to the step, and call again. */
  int (*post_event)(const bouton_synapse_args*, const unsigned* targets, long count);

  /* Replays, brings the states forward, runs `on pre` and adds what is delivered to the accumulators. */
  void (*arrive)(const bouton_synapse_args*, const bouton_synapse_segment*, long segments);
  /* Replays only: before weights are read, and to bound the history. Null when the rule has no `on post`. */
  void (*update)(const bouton_synapse_args*, const bouton_synapse_segment*, long segments);
  /* Replays, brings the states forward and runs the `every` block. Null when the rule has none, or has a current. */
  void (*every)(const bouton_synapse_args*, const bouton_synapse_segment*, long segments);
  /* The states as they stand at args->step, into values[synapse_states][synapses of the slice], after update(); nothing
     else changes. */
  void (*read)(const bouton_synapse_args*, const bouton_synapse_segment*, long segments, float* const* values);

  /* A continuous current: current[j] += the sum over the synapses of j. Null when the rule has none; such a rule has no
     `on pre` and no `on post`, and the functions above but prepare, initial, every_interval are null. */
  void (*current)(const bouton_synapse_args*, const bouton_synapse_rows*, float* current);
  void (*every_row)(const bouton_synapse_args*, const bouton_synapse_rows*);
} bouton_synapse_kernel;

/* The one symbol a compiled unit exports (prefixed by the synapse's name when built in). */
typedef const bouton_synapse_kernel* (*bouton_synapse_kernel_entry)(void);
#endif
