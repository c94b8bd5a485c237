// The recipe mnist-mlp by hand: 784-128-10, sigmoid neurons in both layers, cross-entropy, Adam, batches of 64.
//   train_mnist_mlp [SET or FOLDER of IDX files = mnist] [EPOCHS = 10]
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "bouton/base/blas.hpp"
#include "bouton/data/images.hpp"
#include "bouton/learn/arena.hpp"
#include "bouton/learn/losses.hpp"
#include "bouton/learn/network.hpp"
#include "bouton/learn/optimisers.hpp"

using namespace bouton;

// images[indices] as a tensor [batch, 1, height, width].
static torch::Tensor batch_of(const data::ImageSet& images, std::span<const int64_t> indices) {
  auto batch = torch::empty({static_cast<int64_t>(indices.size()), images.channels, images.height, images.width});
  data::make_batch(images, indices, {}, {}, 0, 0, batch.data_ptr<float>());
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
  std::vector<int64_t> all(static_cast<std::size_t>(images.count));
  std::iota(all.begin(), all.end(), 0);
  const auto predicted = network->forward(batch_of(images, all)).argmax(1);
  network->train();
  return predicted.eq(labels_of(images, all)).to(torch::kDouble).mean().item<double>();
}

static int run(const std::string& set, int64_t epochs) {
  fit_blas_to_processor();
  learn::use_arena();
  const data::ImageData images = data::load_images(set).value();
  const MechanismPtr sigmoid = load_mechanism("sigmoid").value();

  learn::Network network(learn::NetworkOptions{
      .input_shape = {1, images.train.height, images.train.width},
      .steps = 1,
      .layers = {learn::FlattenSpec{}, learn::DenseSpec{.size = 128},
                 learn::NeuronsSpec{.options = {.mechanism = sigmoid, .shape = {}}, .name = "hidden"},
                 learn::DenseSpec{.size = 10},
                 learn::NeuronsSpec{.options = {.mechanism = sigmoid, .shape = {}}, .name = "output"}},
      .readout = learn::Readout::last_output,
      .seed = 0});
  learn::Optimiser adam(*network, {.kind = learn::OptimiserKind::adam, .learning_rate = 1e-3});

  constexpr int64_t size = 64;
  for (int64_t epoch = 1; epoch <= epochs; ++epoch) {
    const auto order = data::shuffled(images.train.count, 0, static_cast<uint64_t>(epoch));
    for (int64_t begin = 0; begin < images.train.count; begin += size) {
      const auto indices = std::span(order).subspan(
          static_cast<std::size_t>(begin), static_cast<std::size_t>(std::min(size, images.train.count - begin)));
      adam.zero_grad();
      learn::cross_entropy(network->forward(batch_of(images.train, indices)), labels_of(images.train, indices))
          .backward();
      adam.step();
    }
    std::printf("epoch %ld: test accuracy %.2f%%\n", static_cast<long>(epoch), 100 * accuracy(network, images.test));
  }
  return 0;
}

int main(int count, char** words) {
  try {
    return run(count > 1 ? words[1] : "mnist", count > 2 ? std::atol(words[2]) : 10);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
