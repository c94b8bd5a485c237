/* A trained network in a C program without LibTorch: what it needs, what it sees, how long that takes.
     deploy FILE [IDX file of images]
   FILE is what `bouton export MODEL --runtime FILE` wrote. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bouton/runtime/runtime.h"

int main(int count, char** words) {
  if (count < 2) return fprintf(stderr, "deploy FILE [IDX file of images]\n"), 2;
  bouton_error error;
  bouton_network* network = bouton_network_load(words[1], 0, &error);
  if (!network) return fprintf(stderr, "%s\n", error.message), 2;

  bouton_network_info info;
  bouton_network_describe(network, &info);
  printf("%zu inputs, %zu outputs, %zu parameters, %zu + %zu bytes\n", info.inputs, info.outputs, info.parameters,
         info.weight_bytes, info.state_bytes);
  const char* meaning = bouton_network_note(network, "input");
  if (meaning) printf("input: %s\n", meaning);

  float* input = calloc(info.inputs, sizeof *input);
  float* output = calloc(info.outputs, sizeof *output);
  FILE* images = count > 2 ? fopen(words[2], "rb") : NULL;
  if (images) fseek(images, 16, SEEK_SET); /* past the header of an IDX file of images */
  for (size_t i = 0; i < info.inputs; ++i) {
    const int pixel = images ? fgetc(images) : (int)(i % 256);
    input[i] = ((float)pixel / 255 - 0.1307F) / 0.3081F; /* as the recipe scales: `meaning` says how */
  }

  const clock_t start = clock();
  for (long step = 0; step < info.steps; ++step) { /* the first step takes the input, the others hold it */
    bouton_network_step(network, step == 0 ? input : NULL, output);
    for (size_t layer = 0; layer < bouton_network_layers(network); ++layer) {
      const char* name;
      const float* values;
      const size_t neurons = bouton_network_layer(network, layer, &name, &values);
      float sum = 0;
      for (size_t n = 0; n < neurons; ++n) sum += values[n];
      printf("step %ld, %s: mean output %.3f\n", step, name, sum / (float)neurons);
    }
  }
  printf("%.0f us for %ld steps\n", 1e6 * (double)(clock() - start) / CLOCKS_PER_SEC, info.steps);
  printf("class %ld\n", bouton_network_classify(network, input, NULL));
  free(input), free(output), bouton_network_free(network);
  return 0;
}
