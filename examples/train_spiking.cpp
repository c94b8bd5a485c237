// A spiking network with a neuron of one's own: four time steps, back-propagation through the spikes, a learned
// membrane time constant, a one-cycle schedule, and a penalty that keeps neurons from firing all the time.
//   train_spiking [SET or FOLDER of IDX files = mnist] [EPOCHS = 5]
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "bouton/base/blas.hpp"
#include "bouton/data/images.hpp"
#include "bouton/learn/arena.hpp"
#include "bouton/learn/losses.hpp"
#include "bouton/learn/network.hpp"
#include "bouton/learn/optimisers.hpp"
#include "bouton/learn/schedules.hpp"

using namespace bouton;

constexpr const char* text = R"(
neuron cell
  "Leaky integrate-and-fire whose reset takes away the threshold and keeps the rest"
  parameter tau = 4 ms  in [1 ms, 50 ms]  trainable
  input I : 1
  dv/dt = (I - v)/tau : 1
  spike when v > 0.3:
    v -= 0.3
  surrogate arctan width 0.3
)";

// images[indices] as a tensor [batch, 1, height, width], pixels scaled to a mean near 0 and a deviation near 1.
static torch::Tensor batch_of(const data::ImageSet& images, std::span<const int64_t> indices,
                              const data::Augmentation& augmentation, uint64_t epoch) {
  auto batch = torch::empty({static_cast<int64_t>(indices.size()), images.channels, images.height, images.width});
  data::make_batch(images, indices, {.mean = 0.13, .deviation = 0.31}, augmentation, 1, epoch, batch.data_ptr<float>());
  return batch;
}

static torch::Tensor labels_of(const data::ImageSet& images, std::span<const int64_t> indices) {
  auto labels = torch::empty({static_cast<int64_t>(indices.size())}, torch::kLong);
  auto* label = labels.data_ptr<int64_t>();
  for (int64_t index : indices) *label++ = images.labels[static_cast<std::size_t>(index)];
  return labels;
}

static double accuracy(learn::Network& network, const data::ImageSet& images) {
  const torch::NoGradGuard no_gradient;
  network->eval();
  int64_t right = 0;
  std::vector<int64_t> all(static_cast<std::size_t>(images.count));
  std::iota(all.begin(), all.end(), 0);
  constexpr std::size_t size = 1000;
  for (std::size_t begin = 0; begin < all.size(); begin += size) {
    const auto indices = std::span<const int64_t>(all).subspan(begin, std::min(size, all.size() - begin));
    right += network->forward(batch_of(images, indices, {}, 0))
                 .argmax(1)
                 .eq(labels_of(images, indices))
                 .sum()
                 .item<int64_t>();
  }
  network->train();
  return static_cast<double>(right) / static_cast<double>(images.count);
}

static int run(const std::string& set, int64_t epochs) {
  fit_blas_to_processor();
  learn::use_arena();
  const data::ImageData images = data::load_images(set).value();
  const MechanismPtr cell = load_mechanism_text({"cell.mech", text}).value();

  learn::Network network(learn::NetworkOptions{
      .input_shape = {1, images.train.height, images.train.width},
      .steps = 4,
      .layers = {learn::FlattenSpec{}, learn::DenseSpec{.size = 200}, learn::NormSpec{},
                 learn::NeuronsSpec{.options = {.mechanism = cell, .shape = {}, .dt = 1e-3}, .name = "hidden"},
                 learn::DenseSpec{.size = 10}},
      .readout = learn::Readout::mean_output,
      .seed = 1});
  std::printf("%s\n", network->summary().c_str());

  constexpr int64_t size = 128;
  const int64_t batches = images.train.count / size;
  learn::Optimiser optimiser(*network,
                             {.kind = learn::OptimiserKind::adamw, .learning_rate = 3e-3, .weight_decay = 1e-4});
  const learn::ScheduleOptions schedule{
      .kind = learn::ScheduleKind::one_cycle, .learning_rate = 3e-3, .steps = epochs * batches};

  int64_t step = 0;
  for (int64_t epoch = 1; epoch <= epochs; ++epoch) {
    const auto order = data::shuffled(images.train.count, 1, static_cast<uint64_t>(epoch));
    for (int64_t batch = 0; batch < batches; ++batch, ++step) {
      const auto indices = std::span(order).subspan(static_cast<std::size_t>(batch * size), size);
      const auto scores = network->forward(batch_of(images.train, indices, {.shift = 1}, static_cast<uint64_t>(epoch)));
      const auto loss =
          learn::cross_entropy(scores, labels_of(images.train, indices)) + 0.1 * network->rate_penalty(0.1);
      optimiser.zero_grad();
      loss.backward();
      optimiser.set_learning_rate(learn::learning_rate_at(schedule, step));
      optimiser.step();
      network->constrain();  // the time constant stays within the interval its text states
    }
    std::printf("epoch %ld: test accuracy %.2f%%", static_cast<long>(epoch), 100 * accuracy(network, images.test));
    for (const auto& [layer, rate] : network->activity()) std::printf(", %s fires %.3f a step", layer.c_str(), rate);
    std::printf("\n");
  }
  for (const auto& [name, neurons] : network->neurons()) {
    for (const auto& [parameter, value] : neurons->physical_parameters()) {
      std::printf("%s learned %s = %.2f ms\n", name.c_str(), parameter.c_str(), 1e3 * value.mean().item<double>());
    }
  }
  return 0;
}

int main(int count, char** words) {
  try {
    return run(count > 1 ? words[1] : "mnist", count > 2 ? std::atol(words[2]) : 5);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
