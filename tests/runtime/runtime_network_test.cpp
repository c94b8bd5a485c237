// The event-driven runtime against nested loops over every input, to the bit; and what it promises of memory and files.

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <new>

#include "bouton/runtime/runtime.hpp"
#include "runtime/plain_network.hpp"
#include "support/temporary_folder.hpp"

namespace {
std::size_t allocations = 0;
}
// Not inlined: GCC 12 would take malloc and delete for a mismatched pair.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes ? bytes : 1);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace bouton::runtime {
namespace {

using plain::neurons;
using plain::random_drive;
using plain::random_numbers;
using plain::thinned;
using Steps = std::vector<std::vector<float>>;

Network load(const RuntimeFile& file) {
  const TemporaryFolder folder;
  const auto path = folder / "net.bouton";
  const Status saved = save_runtime_file(path, file);
  EXPECT_TRUE(saved.ok()) << (saved.ok() ? "" : saved.diagnostics().front().to_string());
  return Network(path.string());
}

std::vector<float> given(Network& network, const std::vector<float>& input) {
  std::vector<float> output(network.info().outputs);
  network.step(input, output);
  return output;
}

Matrix matrix(int64_t inputs, int64_t outputs, uint64_t seed, float scale = 0.3F) {
  return {inputs, outputs, random_numbers(static_cast<std::size_t>(inputs * outputs), seed, scale), {}};
}

RuntimeFile only(Layer layer, std::vector<int64_t> input) {
  RuntimeFile file;
  file.input = std::move(input);
  file.layers.push_back(std::move(layer));
  return file;
}

float total(const Steps& outputs) {
  float sum = 0;
  for (const auto& step : outputs)
    for (const float value : step) sum += value;
  return sum;
}

TEST(RuntimeNetwork, AProductGivesTheSumsOfPlainLoopsToTheBit) {
  for (const int64_t outputs : {1, 10, 16, 100, 256}) {
    const Dense dense{matrix(77, outputs, 1), random_numbers(static_cast<std::size_t>(outputs), 2)};
    Network network = load(only(dense, {77}));
    for (const double part : {0.0, 0.1, 1.0}) {
      const auto input = thinned(random_numbers(77, 3), part, 4);
      EXPECT_EQ(given(network, input), plain::apply(dense, input)) << outputs << " outputs, " << part << " active";
    }
  }
}

TEST(RuntimeNetwork, ASparseProductGivesWhatTheDenseOneWithItsZerosGives) {
  for (const int64_t outputs : {143, 600}) {
    for (const double part : {0.02, 0.1, 0.6}) {
      const auto size = static_cast<std::size_t>(outputs);
      Dense dense{matrix(60, outputs, 5), random_numbers(size, 6)};
      dense.weights.values = thinned(std::move(dense.weights.values), part, 7);
      const Dense sparse{without_zeros(dense.weights), dense.bias};
      ASSERT_LT(sparse.weights.values.size(), dense.weights.values.size());
      Network network = load(only(sparse, {60}));
      EXPECT_EQ(network.info().parameters, sparse.weights.values.size() + size);
      for (const double active : {0.2, 1.0}) {
        const auto input = thinned(random_numbers(60, 8), active, 9);
        EXPECT_EQ(given(network, input), plain::apply(dense, input)) << outputs << " outputs, density " << part;
      }
    }
  }
}

TEST(RuntimeNetwork, AConvolutionGivesTheSumsOfPlainLoopsHoweverManyInputsAreSilent) {
  for (const int64_t stride : {1, 2, 3}) {
    for (const int64_t padding : {0, 2}) {
      for (const bool sparse : {false, true}) {
        Convolution conv{.input = {5, 9, 8},
                         .kernel = 3,
                         .stride = stride,
                         .padding = padding,
                         .weights = matrix(45, 18, 9),
                         .bias = random_numbers(18, 10)};
        Convolution stored = conv;
        if (sparse) {
          conv.weights.values = thinned(std::move(conv.weights.values), 0.3, 11);
          stored.weights = without_zeros(conv.weights);
        }
        Network network = load(only(stored, {5, 9, 8}));
        for (const double part : {0.05, 0.9}) {
          const auto image = thinned(random_numbers(360, 12), part, 13);  // as the product gives it: channels first
          std::vector<float> inner(360);
          for (std::size_t c = 0; c < 5; ++c)
            for (std::size_t p = 0; p < 72; ++p) inner[p * 5 + c] = image[c * 72 + p];
          EXPECT_EQ(given(network, image), plain::apply(conv, inner))
              << "stride " << stride << ", padding " << padding << ", sparse " << sparse << ", active " << part;
        }
      }
    }
  }
}

TEST(RuntimeNetwork, PoolsTakeTheLargestOrTheMeanOfEachWindow) {
  // Two channels of 2x2: channel 0 is 1 2 3 4, channel 1 is -1 -2 -3 -4.
  const std::vector<float> image{1, 2, 3, 4, -1, -2, -3, -4};
  Network largest = load(only(Pool{{2, 2, 2}, 2, 2, false}, {2, 2, 2}));
  Network mean = load(only(Pool{{2, 2, 2}, 2, 2, true}, {2, 2, 2}));
  EXPECT_EQ(given(largest, image), (std::vector<float>{4, -1}));
  EXPECT_EQ(given(mean, image), (std::vector<float>{2.5F, -2.5F}));
}

TEST(RuntimeNetwork, SpikesAreThoseOfTheScanToTheBit) {
  for (const char* name : {"lif", "adex", "hodgkin_huxley", "adaptive_lif", "sigmoid", "leaky_integrator"}) {
    Neurons n = neurons(name, 300, 1e-4);
    n.seed = 17;
    Network network = load(only(n, {300}));
    Steps drive, outputs;
    for (uint64_t t = 0; t < 60; ++t) {
      drive.push_back(random_drive(300, 20 + t, 20, 12));
      outputs.push_back(given(network, drive.back()));
    }
    EXPECT_EQ(outputs, plain::scan(n, drive)) << name;
    EXPECT_GT(total(outputs), 20) << name << " hardly fires: nothing is compared";
  }
}

TEST(RuntimeNetwork, NeuronsOfTheirOwnParametersAndAStateAsOutputAreTheScansToo) {
  Neurons n = neurons("lif", 130);
  const std::size_t names = n.parameter_names.size();
  std::vector<double> own;
  for (std::size_t p = 0; p < names; ++p)
    for (std::size_t i = 0; i < 130; ++i)
      own.push_back(n.parameters[p] * (n.parameter_names[p] == "tau_m" ? 0.5 + 0.01 * static_cast<double>(i) : 1));
  n.parameters = own;
  n.output = "v";
  Network network = load(only(n, {130}));
  Steps drive, outputs;
  for (uint64_t t = 0; t < 40; ++t) {
    drive.push_back(random_drive(130, 50 + t, 4, 1));
    outputs.push_back(given(network, drive.back()));
  }
  EXPECT_EQ(outputs, plain::scan(n, drive));
}

TEST(RuntimeNetwork, WhatComesOutComesBackOneStepLater) {
  Neurons n = neurons("lif", 40);
  n.recurrent = matrix(40, 40, 30, 2);
  Network network = load(only(n, {40}));
  const Dense feedback{n.recurrent, {}};
  Steps drive, outputs;
  for (uint64_t t = 0; t < 30; ++t) {
    const auto input = random_drive(40, 31 + t, 3, 2);
    outputs.push_back(given(network, input));
    // The plain loop: the sum begins with what arrives.
    Dense arriving = feedback;
    arriving.bias = input;
    drive.push_back(t == 0 ? input : plain::apply(arriving, outputs[t - 1]));
  }
  Neurons alone = n;
  alone.recurrent = {};
  EXPECT_EQ(outputs, plain::scan(alone, drive));
  EXPECT_GT(total(outputs), 20);
}

RuntimeFile small_network() {
  RuntimeFile file;
  file.input = {12};
  file.steps = 8;
  file.layers = {Dense{matrix(12, 32, 40, 1), random_numbers(32, 41)}, neurons("lif", 32),
                 Dense{matrix(32, 4, 42, 1), random_numbers(4, 43)}, neurons("leaky_integrator", 4)};
  file.notes["class_names"] = R"(["a","b","c","d"])";
  return file;
}

TEST(RuntimeNetwork, ASampleIsStepsOfTheSameInputAndTheirMean) {
  Network network = load(small_network());
  const auto input = random_numbers(12, 44, 3);
  std::vector<float> scores(4), stepped(4), output(4), sum(4);
  const long best = network.classify(input, scores);
  network.reset();
  for (int t = 0; t < 8; ++t) {
    network.step(t == 0 ? std::span<const float>(input) : std::span<const float>(), output);
    for (std::size_t i = 0; i < 4; ++i) sum[i] += output[i];
  }
  network.readout(stepped);
  EXPECT_EQ(scores, stepped);
  for (float& s : sum) s /= 8;
  EXPECT_EQ(scores, sum);
  EXPECT_EQ(best, std::max_element(scores.begin(), scores.end()) - scores.begin());
  EXPECT_STREQ(network.note("class_names"), R"(["a","b","c","d"])");
  EXPECT_EQ(network.note("nothing"), nullptr);
}

TEST(RuntimeNetwork, EveryReadOutCountsTheStepsSinceReset) {
  for (const Readout kind : {Readout::spike_count, Readout::max_output, Readout::last_output}) {
    RuntimeFile file = small_network();
    file.readout = kind;
    Network network = load(file);
    std::vector<float> expected(4), output(4), scores(4);
    for (uint64_t t = 0; t < 5; ++t) {
      network.step(random_numbers(12, 60 + t, 3), output);
      for (std::size_t i = 0; i < 4; ++i) {
        if (kind == Readout::spike_count) expected[i] += output[i];
        if (kind == Readout::max_output) expected[i] = t == 0 ? output[i] : std::max(expected[i], output[i]);
        if (kind == Readout::last_output) expected[i] = output[i];
      }
    }
    network.readout(scores);
    EXPECT_EQ(scores, expected) << static_cast<int>(kind);
  }
}

TEST(RuntimeNetwork, SharedWeightsHaveStatesOfTheirOwn) {
  Network first = load(small_network());
  const auto input = random_numbers(12, 45, 3);
  const auto fresh = given(first, input);
  Network second = first.share();
  given(first, random_numbers(12, 46, 3));
  EXPECT_EQ(given(second, input), fresh);
}

TEST(RuntimeNetwork, SteppingTakesNoMemory) {
  RuntimeFile file = small_network();
  file.input = {3, 6, 6};
  file.layers.insert(file.layers.begin(),
                     {Layer{Convolution{.input = {3, 6, 6}, .kernel = 3, .weights = matrix(27, 12, 47)}},
                      Layer{neurons("lif", 192)}, Layer{Pool{{12, 4, 4}, 4, 4, true}}});
  std::get<Neurons>(file.layers[4]).recurrent = without_zeros(matrix(32, 32, 48));
  Network network = load(file);
  const auto input = random_numbers(108, 49, 3);
  std::vector<float> scores(4);
  const std::size_t before = allocations, used = mallinfo2().uordblks;
  network.classify(input, scores);
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(mallinfo2().uordblks, used);
}

TEST(RuntimeNetwork, MemoryIsKnownBeforeItIsTakenAndCanBeLimited) {
  const TemporaryFolder folder;
  const auto path = (folder / "net.bouton").string();
  ASSERT_TRUE(save_runtime_file(path, small_network()).ok());
  bouton_network_info info;
  bouton_error error;
  ASSERT_TRUE(bouton_network_inspect(path.c_str(), &info, &error));
  EXPECT_EQ(info.inputs, 12U);
  EXPECT_EQ(info.outputs, 4U);
  EXPECT_EQ(info.steps, 8);
  EXPECT_EQ(info.parameters, 12U * 32 + 32 + 32 * 4 + 4);
  EXPECT_GE(info.weight_bytes, 4 * info.parameters);
  const std::size_t needed = info.weight_bytes + info.state_bytes;
  EXPECT_NO_THROW(Network(path, needed));
  try {
    Network(path, needed - 1);
    FAIL() << "more than the limit was taken";
  } catch (const LoadError& refused) {
    EXPECT_EQ(refused.code, "runtime-too-large");
  }
}

// A file of a few hundred bytes can name an image of any size: nothing in it backs the memory.
TEST(RuntimeNetwork, ASmallFileThatNamesAHugeImageIsRefusedBeforeMemoryIsTaken) {
  const TemporaryFolder folder;
  const auto path = (folder / "net.bouton").string();
  ASSERT_TRUE(save_runtime_file(path, only(Pool{{1, 40000, 40000}, 1, 1, false}, {1, 40000, 40000})).ok());
  try {
    Network{path};
    FAIL();
  } catch (const LoadError& refused) {
    EXPECT_EQ(refused.code, "runtime-too-large");
  }
}

void prepare_doubling(const double* parameters, long, long, double, void* coefficients) {
  *static_cast<float*>(coefficients) = static_cast<float>(parameters[0]);
}
void advance_doubling(const bouton_advance_args* a) {
  for (long i = a->begin; i < a->end; ++i)
    static_cast<float*>(a->output)[i] =
        *static_cast<const float*>(a->coefficients) * static_cast<const float*>(a->added[0])[i];
}

TEST(RuntimeNetwork, AKernelOfOnesOwnIsUsedOnceItIsMadeKnown) {
  Neurons n;
  n.name = n.mechanism = "doubling";
  n.identity = "of nothing in the catalogue";
  n.kernel = "doubling, float32";
  n.size = 3;
  n.parameter_names = {"factor"};
  n.parameters = {2};
  n.input_scales = {1};
  const TemporaryFolder folder;
  const auto path = (folder / "net.bouton").string();
  ASSERT_TRUE(save_runtime_file(path, only(n, {3})).ok());
  try {
    Network{path};
    FAIL();
  } catch (const LoadError& refused) {
    EXPECT_EQ(refused.code, "unknown-kernel");
    EXPECT_NE(std::string(refused.what()).find("'doubling'"), std::string::npos) << refused.what();
  }
  static const char* const parameter_names[] = {"factor"};
  static const char* const input_names[] = {"I"};
  static bouton_kernel kernel{.abi_version = BOUTON_KERNEL_ABI_VERSION,
                              .name = "doubling",
                              .identity = "doubling, float32",
                              .scalar_bytes = 4,
                              .tile = 16,
                              .parameters = 1,
                              .coefficients = 1,
                              .inputs = 1,
                              .parameter_names = parameter_names,
                              .input_names = input_names,
                              .prepare = prepare_doubling,
                              .advance = advance_doubling};
  bouton_kernel older = kernel;
  older.abi_version = BOUTON_KERNEL_ABI_VERSION - 1;
  EXPECT_EQ(bouton_add_kernel(&older), 0);
  EXPECT_EQ(bouton_add_kernel(&kernel), 1);
  Network network(path);
  EXPECT_EQ(given(network, {1, 2, 3}), (std::vector<float>{2, 4, 6}));
}

}  // namespace
}  // namespace bouton::runtime
