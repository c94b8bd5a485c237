#include "runtime/stages.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <vector>

#include "mechanisms/registry.hpp"

namespace bouton::runtime {
namespace {

// ---- kernels

std::mutex kernels_mutex;
std::vector<const bouton_kernel*>& own_kernels() {
  static std::vector<const bouton_kernel*> kernels;
  return kernels;
}

bool usable(const bouton_kernel& kernel) {
  return kernel.abi_version == BOUTON_KERNEL_ABI_VERSION && kernel.scalar_bytes == 4 && kernel.advance != nullptr &&
         kernel.prepare != nullptr;
}

const bouton_kernel* find_kernel(const Neurons& neurons) {
  for (const BuiltIn& entry : built_ins())
    if (neurons.identity == entry.identity) return entry.float32();
  const std::lock_guard lock(kernels_mutex);
  for (const bouton_kernel* kernel : own_kernels())
    if (neurons.kernel == kernel->identity) return kernel;
  return nullptr;
}

// Whether the file speaks of the parameters, inputs and states this kernel has.
bool fits(const bouton_kernel& kernel, const Neurons& neurons) {
  if (!usable(kernel) || kernel.parameters != static_cast<int>(neurons.parameter_names.size()) ||
      kernel.inputs != static_cast<int>(neurons.input_scales.size()))
    return false;
  for (std::size_t p = 0; p < neurons.parameter_names.size(); ++p)
    if (neurons.parameter_names[p] != kernel.parameter_names[p]) return false;
  return true;
}

// ---- stages

void start_with(const std::vector<float>& bias, int64_t outputs, float* out) {
  if (bias.empty()) {
    std::fill_n(out, outputs, 0.0F);
  } else {
    std::memcpy(out, bias.data(), bias.size() * sizeof(float));
  }
}

class DenseStage : public Stage {
 public:
  explicit DenseStage(const Dense& dense) : source_(&dense), rows_(dense.weights), bias_(dense.bias) {}
  int64_t outputs() const override { return rows_.outputs(); }
  std::size_t weight_bytes() const override { return rows_.bytes() + bias_.size() * sizeof(float); }
  void place(std::byte* memory) override { rows_.place(std::exchange(source_, nullptr)->weights, memory); }
  int64_t most_active() const override { return rows_.inputs(); }
  void run(const float* in, float* out, std::byte*, Active active, int64_t) const override {
    start_with(bias_, outputs(), out);
    find_active(in, rows_.inputs(), active);
    rows_.add(active, out);
  }

 private:
  const Dense* source_;
  Rows rows_;
  std::vector<float> bias_;
};

class ConvolutionStage : public Stage {
 public:
  explicit ConvolutionStage(const Convolution& conv)
      : source_(&conv), rows_(conv.weights), taps_(conv), shape_(conv.output()), bias_(conv.bias) {}
  int64_t outputs() const override { return shape_.size(); }
  std::size_t weight_bytes() const override { return rows_.bytes() + bias_.size() * sizeof(float); }
  void place(std::byte* memory) override { rows_.place(std::exchange(source_, nullptr)->weights, memory); }
  int64_t most_active() const override { return rows_.inputs(); }
  void run(const float* in, float* out, std::byte*, Active active, int64_t) const override {
    for (int64_t p = 0; p < shape_.height * shape_.width; ++p)
      start_with(bias_, shape_.channels, out + p * shape_.channels);
    taps_.add(rows_, in, active, out);
  }

 private:
  const Convolution* source_;
  Rows rows_;
  Taps taps_;
  ImageShape shape_;
  std::vector<float> bias_;
};

class PoolStage : public Stage {
 public:
  explicit PoolStage(const Pool& pool) : pool_(pool), shape_(pool.output()) {}
  int64_t outputs() const override { return shape_.size(); }
  void run(const float* in, float* out, std::byte*, Active, int64_t) const override {
    const int64_t channels = shape_.channels;
    for (int64_t oy = 0; oy < shape_.height; ++oy) {
      for (int64_t ox = 0; ox < shape_.width; ++ox, out += channels) {
        const float* corner = in + (oy * pool_.stride * pool_.input.width + ox * pool_.stride) * channels;
        std::memcpy(out, corner, static_cast<std::size_t>(channels) * sizeof(float));
        for (int64_t k = 1; k < pool_.size * pool_.size; ++k)
          join(corner + (k / pool_.size * pool_.input.width + k % pool_.size) * channels, out);
        if (pool_.average) {
          for (int64_t c = 0; c < channels; ++c) out[c] /= static_cast<float>(pool_.size * pool_.size);
        }
      }
    }
  }

 private:
  void join(const float* more, float* out) const {
    if (pool_.average) {
      for (int64_t c = 0; c < shape_.channels; ++c) out[c] += more[c];
    } else {
      for (int64_t c = 0; c < shape_.channels; ++c) out[c] = more[c] > out[c] ? more[c] : out[c];
    }
  }
  Pool pool_;
  ImageShape shape_;
};

class AffineStage : public Stage {
 public:
  explicit AffineStage(const Affine& affine) : affine_(affine) {}
  int64_t outputs() const override { return affine_.size; }
  std::size_t weight_bytes() const override { return 2 * affine_.scale.size() * sizeof(float); }
  void run(const float* in, float* out, std::byte*, Active, int64_t) const override {
    const auto channels = static_cast<int64_t>(affine_.scale.size());
    const float *scale = affine_.scale.data(), *shift = affine_.shift.data();
    for (int64_t first = 0; first < affine_.size; first += channels)
      for (int64_t c = 0; c < channels; ++c) out[first + c] = in[first + c] * scale[c] + shift[c];
  }

 private:
  Affine affine_;
};

class NeuronStage : public Stage {
 public:
  NeuronStage(const Neurons& neurons, const bouton_kernel& kernel)
      : source_(&neurons),
        kernel_(kernel),
        name_(neurons.name),
        size_(neurons.size),
        row_(signal_floats(neurons.size)),
        per_neuron_(neurons.parameters.size() > neurons.parameter_names.size()),
        dt_(neurons.dt),
        seed_(neurons.seed),
        scale_(static_cast<float>(neurons.input_scales.front())),
        feedback_(neurons.recurrent),
        recurrent_(neurons.recurrent.inputs > 0) {
    for (int s = 0; s < kernel.states; ++s)
      if (neurons.output == kernel.state_names[s]) output_state_ = s;
  }
  int64_t outputs() const override { return size_; }
  bool moves() const override { return true; }
  const char* name() const override { return name_.c_str(); }
  int64_t most_active() const override { return recurrent_ ? size_ : 0; }

  std::size_t weight_bytes() const override { return coefficient_bytes() + (recurrent_ ? feedback_.bytes() : 0); }
  void place(std::byte* memory) override {
    const Neurons& source = *std::exchange(source_, nullptr);
    const int64_t columns = per_neuron_ ? row_ : 1;
    std::vector<double> parameters(source.parameter_names.size() * static_cast<std::size_t>(columns));
    for (std::size_t p = 0; p < source.parameter_names.size(); ++p) {
      for (int64_t n = 0; n < columns; ++n) {  // lanes beyond the last neuron repeat it
        const int64_t from =
            per_neuron_ ? static_cast<int64_t>(p) * size_ + std::min(n, size_ - 1) : static_cast<int64_t>(p);
        parameters[p * static_cast<std::size_t>(columns) + static_cast<std::size_t>(n)] =
            source.parameters[static_cast<std::size_t>(from)];
      }
    }
    kernel_.prepare(parameters.data(), per_neuron_ ? 1 : 0, columns, dt_, memory);
    coefficients_ = reinterpret_cast<const float*>(memory);
    if (recurrent_) feedback_.place(source.recurrent, memory + coefficient_bytes());
  }

  // The kernel's state [slots, row], its input [row], and, recurrent, what it gave a step before [row].
  std::size_t state_bytes() const override {
    return static_cast<std::size_t>(row_ * (kernel_.state_slots + 1 + (recurrent_ ? 1 : 0))) * sizeof(float);
  }
  void reset(std::byte* memory) const override {
    auto* state = reinterpret_cast<float*>(memory);
    for (int s = 0; s < kernel_.states; ++s) {
      if (per_neuron_) {
        std::copy_n(coefficients_ + s * row_, row_, state + s * row_);
      } else {
        std::fill_n(state + s * row_, row_, coefficients_[s]);
      }
    }
    std::fill(state + kernel_.states * row_, state + state_bytes() / sizeof(float), 0.0F);
  }

  void run(const float* in, float* out, std::byte* memory, Active active, int64_t step) const override {
    auto* state = reinterpret_cast<float*>(memory);
    float* drive = state + kernel_.state_slots * row_;
    std::memcpy(drive, in, static_cast<std::size_t>(size_) * sizeof(float));
    if (recurrent_ && step > 0) {
      find_active(drive + row_, size_, active);
      feedback_.add(active, drive);
    }
    for (int64_t i = 0; i < size_; ++i) drive[i] *= scale_;

    bouton_advance_args args{};
    args.lanes = static_cast<long>(size_);
    args.row = static_cast<long>(row_);
    args.end = args.lanes;
    args.dt = dt_;
    args.step = static_cast<long>(step);
    args.seed = seed_;
    args.coefficient_stride = per_neuron_ ? 1 : 0;
    args.coefficients = coefficients_;
    args.state = state;
    args.added[0] = drive;
    args.output = out;
    kernel_.advance(&args);
    if (output_state_ >= 0)
      std::memcpy(out, state + output_state_ * row_, static_cast<std::size_t>(size_) * sizeof(float));
    if (recurrent_) std::memcpy(drive + row_, out, static_cast<std::size_t>(size_) * sizeof(float));
  }

 private:
  std::size_t coefficient_bytes() const {
    const auto columns = static_cast<std::size_t>(per_neuron_ ? row_ : 1);
    return aligned((static_cast<std::size_t>(kernel_.coefficients) * columns + slack) * sizeof(float));
  }
  const Neurons* source_;
  const bouton_kernel& kernel_;
  std::string name_;
  int64_t size_, row_;
  bool per_neuron_;
  double dt_;
  uint64_t seed_;
  float scale_;
  Rows feedback_;
  bool recurrent_;
  int output_state_ = -1;
  const float* coefficients_ = nullptr;
};

Result<std::unique_ptr<Stage>> neuron_stage(const Neurons& neurons) {
  Diagnostic d;
  d.code = "unknown-kernel";
  const bouton_kernel* kernel = find_kernel(neurons);
  if (!kernel) {
    d.message = "the network needs the mechanism '" + neurons.mechanism + "' of identity " +
                neurons.identity.substr(0, 12) + ", which this program does not have";
    d.hint = "compile the file that 'bouton export --kernels' writes into it, and give the kernel to bouton_add_kernel";
    return d;
  }
  if (!fits(*kernel, neurons)) {
    d.message = "the kernel of the mechanism '" + neurons.mechanism + "' has other parameters or inputs than the file";
    return d;
  }
  const auto* states = kernel->state_names;
  if (!neurons.output.empty() &&
      std::find(states, states + kernel->states, neurons.output) == states + kernel->states) {
    d.message = "the mechanism '" + neurons.mechanism + "' has no state '" + neurons.output + "' to give";
    return d;
  }
  return std::unique_ptr<Stage>(std::make_unique<NeuronStage>(neurons, *kernel));
}

}  // namespace

int64_t signal_floats(int64_t size) {
  const int64_t row = (size + 255) / 256 * 256;
  return row % 1024 == 0 ? row + 256 : row;  // rows 4 KiB apart would share the sets of the cache; and there is slack
}

bool add_kernel(const bouton_kernel* kernel) {
  if (!kernel || !usable(*kernel)) return false;
  const std::lock_guard lock(kernels_mutex);
  own_kernels().push_back(kernel);
  return true;
}

Result<std::unique_ptr<Stage>> make_stage(const Layer& layer) {
  using Made = std::unique_ptr<Stage>;
  if (const auto* dense = std::get_if<Dense>(&layer)) return Made(std::make_unique<DenseStage>(*dense));
  if (const auto* conv = std::get_if<Convolution>(&layer)) return Made(std::make_unique<ConvolutionStage>(*conv));
  if (const auto* pool = std::get_if<Pool>(&layer)) return Made(std::make_unique<PoolStage>(*pool));
  if (const auto* affine = std::get_if<Affine>(&layer)) return Made(std::make_unique<AffineStage>(*affine));
  return neuron_stage(std::get<Neurons>(layer));
}

}  // namespace bouton::runtime
