/* A trained network in a product: load a runtime file, step it, read spikes and scores. Plain C, no LibTorch, no
   Python. `bouton export MODEL --runtime FILE` writes the file; docs/runtime.md describes it.
   bouton/runtime/runtime.hpp is the same in C++.

       bouton_error error;
       bouton_network* network = bouton_network_load("digits.bouton", 0, &error);
       if (!network) { fprintf(stderr, "%s\n", error.message); return 2; }
       long digit = bouton_network_classify(network, pixels, NULL);
       bouton_network_free(network);

   Products are event-driven: they touch the weights of inputs that are not zero and no others. After loading, no
   function takes memory from the system. Every sum has one order (docs/decisions/0006-ordered-sums.md), so the spikes
   are those of the trained network to the bit, on any processor whose kernels compute the same mathematics.

   A network is not thread safe; bouton_network_share gives each thread its own at the cost of the state alone.
   Functions that take a network do not accept null, except bouton_network_free. */
#ifndef BOUTON_RUNTIME_H
#define BOUTON_RUNTIME_H
#include <stddef.h>

#include "bouton/mechanisms/kernel_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bouton_network bouton_network;

/* What went wrong: a stable name such as "archive-truncated", and a text for people. Texts that do not fit are cut. */
typedef struct bouton_error {
  char code[48];
  char message[976];
} bouton_error;

typedef struct bouton_network_info {
  size_t inputs;       /* numbers a step takes: images as [channels, height, width] */
  size_t outputs;      /* numbers a step gives */
  long steps;          /* time steps a sample was trained for */
  size_t parameters;   /* numbers that were learned and are used: of a pruned product those that were kept */
  size_t weight_bytes; /* constant, once for all networks that share it */
  size_t state_bytes;  /* of each network: states, signals between layers, lists of active inputs */
} bouton_network_info;

/* Reads a file, checks it and takes all memory the network will ever need: weight_bytes + state_bytes. Runs no code of
   the file's: neurons are the kernels this library was built with, or those given to bouton_add_kernel. A network that
   would need more than `most_bytes` is refused before that memory is taken; 0: 1 GiB. Null on failure, `error` (may be
   null) says why. Codes: those of read_archive (bouton/base/archive.hpp); runtime-malformed, runtime-newer,
   runtime-too-large, unknown-kernel, memory. */
bouton_network* bouton_network_load(const char* path, size_t most_bytes, bouton_error* error);
/* The same from the bytes of a file, which need not be kept. */
bouton_network* bouton_network_load_memory(const void* bytes, size_t size, size_t most_bytes, bouton_error* error);
/* What bouton_network_load would take, without taking it. 1: done; 0: `error` says why not. */
int bouton_network_inspect(const char* path, bouton_network_info* info, bouton_error* error);

/* A second network of the same weights with a state of its own, at rest. Null when there is no memory. May be called
   while other networks of these weights step on other threads. */
bouton_network* bouton_network_share(const bouton_network* network, bouton_error* error);
void bouton_network_free(bouton_network* network);

void bouton_network_describe(const bouton_network* network, bouton_network_info* info);
/* A text the file carries: "recipe", "class_names" (a JSON list), "input" (what a number of the input means), ... Null
   where there is none. Lives as long as the network. */
const char* bouton_network_note(const bouton_network* network, const char* name);

/* Back to rest: the next step is the first one. */
void bouton_network_reset(bouton_network* network);
/* One time step. input: [inputs], or null for the input of the step before again (layers ahead of the first neurons are
   then not computed anew); zeros where there was none. output: [outputs], what the last layer gives in this step, or
   null. */
void bouton_network_step(bouton_network* network, const float* input, float* output);
/* The read-out over the steps since reset: [outputs]. */
void bouton_network_readout(const bouton_network* network, float* scores);
/* Reset, `steps` steps of the same input, read-out. Returns the index of the largest score, the first of equals.
   scores: [outputs] or null. */
long bouton_network_classify(bouton_network* network, const float* input, float* scores);

/* Neuron layers, in order. Their number; the name of one, and what it gave in the last step: `*values` is [neurons],
   valid until the next step, images as [height, width, channels]. Returns the number of neurons; 0 where there is no
   such layer. */
size_t bouton_network_layers(const bouton_network* network);
size_t bouton_network_layer(const bouton_network* network, size_t layer, const char** name, const float** values);

/* Makes a mechanism of your own known before loading a network that uses it: the kernel in the file that
   `bouton export --kernels FOLDER` wrote, compiled into your program. The kernel must stay. Thread safe. 1: done; 0: it
   is of another version of the interface. */
int bouton_add_kernel(const bouton_kernel* kernel);

#ifdef __cplusplus
}
#endif
#endif
