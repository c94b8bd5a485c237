/* What a compiled mechanism exports. This header is plain C and is printed verbatim at the top of every emitted unit,
   so that a user's own mechanism compiles in well under a second without any other header.

   A mechanism runs in two ways: `forward` and `backward` scan whole sequences, for training; `advance` takes one time
   step of a population in place, for simulation. Both compute the same bits from the same inputs. A unit compiled for
   one of the two alone has null for the functions of the other.

   A scan runs `steps` time steps over `lanes` independent lanes; lane m belongs to neuron m % neurons (lanes = batch *
   neurons). All arrays are row-major, of the kernel's scalar type (float or double) unless said otherwise, and in SI.

   Parameters enter in two stages. `prepare` turns parameters into coefficients (propagators, initial values, everything
   constant over a run) in double precision, once per neuron; the scan knows only coefficients; `prepare_adjoint` maps
   the scan's coefficient gradients back to parameters.

   Order within a step: refractory countdown, integration, each_step statements, arrivals of impulse inputs,
   threshold, reset, output. Functions are thread safe as long as the lane ranges do not overlap and each call has
   its own scratch and its own coefficient gradients. Lanes of a scan are processed in tiles of `tile` lanes counted
   from `begin`; results do not depend on how a range is cut as long as every cut is a multiple of `tile`. */
#ifndef BOUTON_KERNEL_ABI_H
#define BOUTON_KERNEL_ABI_H
#define BOUTON_KERNEL_ABI_VERSION 2
#define BOUTON_KERNEL_MAX_INPUTS 8

enum { BOUTON_FAST_SIGMOID = 0, BOUTON_ARCTAN = 1, BOUTON_TRIANGLE = 2, BOUTON_BOXCAR = 3, BOUTON_GAUSSIAN = 4 };

typedef struct bouton_forward_args {
  long steps, lanes, neurons;
  long begin, end;          /* lanes of this call: [begin, end) */
  double dt;                /* seconds */
  long first_step;          /* number of the first step: time t = (first_step + k) * dt, and the noise's key */
  unsigned long long seed;  /* of the noise xi; drawn from (seed, lane, step, source) by a counter-based generator */
  long coefficient_stride;  /* 0: coefficients[d][1] shared; 1: coefficients[d][neurons] */
  const void* coefficients; /* [coefficients, 1 or neurons] */
  const void* inputs[BOUTON_KERNEL_MAX_INPUTS]; /* each [steps, lanes] or, with stride 0, [lanes]; null: zero */
  long input_stride[BOUTON_KERNEL_MAX_INPUTS];  /* elements from one step to the next: lanes, or 0 for constant */
  double input_scale[BOUTON_KERNEL_MAX_INPUTS]; /* SI per unit of the arrays above */
  const void* state_in;                         /* [state_slots, lanes] or null: the initial values */
  void* state_out;                              /* [state_slots, lanes] or null; may be state_in */
  void* output;                                 /* [steps, lanes] or null: spikes as 0/1, or the graded output */
  long traced_state;                            /* a state whose value after each step is written to trace; -1: none */
  void* trace;                                  /* [steps, lanes] */
  long checkpoint_every; /* write the state before steps checkpoint_every, 2*checkpoint_every, ...; 0: never */
  void* checkpoints;     /* [(steps-1)/checkpoint_every, state_slots, lanes] */
  double* output_sum;    /* sum over lanes and steps of the output is added here; may be null */
  int smooth;            /* 1: the threshold is the surrogate's primitive (gradient checks; double only) */
  int surrogate;         /* BOUTON_...; read by forward only when smooth */
  double surrogate_width, surrogate_scale; /* psi is multiplied by surrogate_scale */
} bouton_forward_args;

typedef struct bouton_backward_args {
  bouton_forward_args forward;                 /* as the forward pass ran; state_out, output and trace are not read */
  const void* grad_output;                     /* [steps, lanes] or null */
  const void* grad_trace;                      /* [steps, lanes] or null, for forward.traced_state */
  const void* grad_state_out;                  /* [state_slots, lanes] or null (counter slots ignored) */
  void* grad_inputs[BOUTON_KERNEL_MAX_INPUTS]; /* like inputs (constant inputs: summed over time), per unit of the
                                                  arrays; null: unwanted */
  void* grad_state_in;                         /* [state_slots, lanes] or null */
  double* grad_coefficients;                   /* [coefficients, 1 or neurons]; added to; null: unwanted */
  double reset_gradient;                       /* 1: the reset is attached to the spike's gradient; 0: detached */
  void* scratch;                               /* scratch_bytes(segment) bytes, 64-byte aligned, where segment is
                                                  checkpoint_every, or steps when that is 0 */
} bouton_backward_args;

/* One time step of a population of `lanes` neurons, in place. Arrays are 64-byte aligned, their rows `row` elements
   apart: a multiple of 256, at least `lanes`, and better not a multiple of 4 KiB, or the rows share the sets of the
   cache (up to three times slower). What lies beyond `lanes` is computed along: let it start as any other lane does.
   Input i of a lane is arrivals*scale + (added + constant), product and sum rounded once where the processor can. */
typedef struct bouton_advance_args {
  long lanes, row;
  long begin, end;          /* lanes of this call: begin a multiple of 64; end one too, or lanes. Any cut gives the
                               same results, and calls for ranges that do not overlap may run at the same time */
  double dt;                /* seconds */
  long step;                /* time t = step * dt, and the noise's key, as in a scan */
  unsigned long long seed;  /* of the noise xi */
  long coefficient_stride;  /* 0: coefficients[d] shared; 1: coefficients[d][row] */
  const void* coefficients; /* those of `prepare`; with stride 1 prepared for `row` neurons */
  void* state;              /* [state_slots][row]; the first `states` coefficients are the initial values, the rest 0 */
  int* arrivals[BOUTON_KERNEL_MAX_INPUTS];        /* [row] in fixed point, read and set to zero, or null */
  double arrival_scale[BOUTON_KERNEL_MAX_INPUTS]; /* SI per unit of the arrivals */
  const void* added[BOUTON_KERNEL_MAX_INPUTS];    /* [row] SI values of the kernel's scalar type, or null */
  double constant[BOUTON_KERNEL_MAX_INPUTS];      /* SI, the same for all lanes */
  unsigned long long* spikes; /* [row/64]: lane i is bit i%64 of word i/64, the words of the range are overwritten and
                                 bits beyond `lanes` are 0; null where the mechanism does not spike or nobody asks */
  void* output;               /* [row] spikes as 0/1, or the graded output; or null */
} bouton_advance_args;

typedef struct bouton_kernel {
  unsigned abi_version;
  const char* name;
  const char* identity; /* hex hash of the mechanism's meaning, scalar type and ABI */
  int scalar_bytes;     /* 4 or 8 */
  int tile;             /* lanes processed together */
  int parameters, coefficients, inputs;
  int state_slots; /* the mechanism's states in order, then the refractory counter if it has one */
  int states;
  long scratch_bytes_per_step; /* scratch_bytes(segment) = (segment + 2) * scratch_bytes_per_step */
  const char* const* parameter_names;
  const char* const* state_names;
  const char* const* input_names;
  /* parameters: [parameters, stride 0: 1, 1: neurons] in double; coefficients likewise but of the scalar type. */
  void (*prepare)(const double* parameters, long stride, long neurons, double dt, void* coefficients);
  /* grad_parameters += J^T grad_coefficients, same shapes, double. */
  void (*prepare_adjoint)(const double* parameters, long stride, long neurons, double dt,
                          const double* grad_coefficients, double* grad_parameters);
  void (*forward)(const bouton_forward_args*);
  void (*backward)(const bouton_backward_args*);
  void (*advance)(const bouton_advance_args*);
} bouton_kernel;

/* The one symbol a compiled unit exports (prefixed by the mechanism's name when built in). */
typedef const bouton_kernel* (*bouton_kernel_entry)(void);
#endif
