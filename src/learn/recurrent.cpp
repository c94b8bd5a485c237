#include "learn/recurrent.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "learn/parts.hpp"
#include "learn/row_products.hpp"
#include "learn/scan.hpp"

// The batch is cut into blocks of samples whose state stays in the cache while one thread takes them through all steps.
// What a neuron's spikes bring the others is gathered: the rows of W^T of those that fired. Of the trajectory only the
// spikes (as lists) and the state at the start of every segment of steps are kept; the backward pass runs a segment
// again, then step by step against time: the product with W, the adjoint of the neurons, and the gradient of W gathered
// from the same lists.

namespace bouton::learn {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t block_lanes = 4096;              // of a step: a quarter of the first-level cache an array
constexpr int64_t least_block = 8;                 // samples that share one reading of the weights
constexpr int64_t segment_bytes = 256 << 10;       // of the trajectory computed again
constexpr int64_t most_groups = 16;                // of blocks, with sums of their own
constexpr int64_t accumulator_elements = 8 << 20;  // of all these sums together

// The batch cut into blocks, and these into groups: by the shapes alone, never by the threads.
struct Cut {
  int64_t steps = 0, batch = 0, n = 0;
  int64_t samples = 0, blocks = 0, groups = 0;  // samples of a block
  int64_t segment = 0;                          // steps between two stored states

  Cut(int64_t steps, int64_t batch, int64_t n, int64_t bytes_per_lane, int64_t every)
      : steps(steps), batch(batch), n(n) {
    samples = std::max(least_block, block_lanes / std::max<int64_t>(1, n) / least_block * least_block);
    samples = std::clamp<int64_t>(samples, 1, std::max<int64_t>(1, batch));
    blocks = (batch + samples - 1) / samples;
    const int64_t room = accumulator_elements / std::max<int64_t>(1, n * n);
    groups = std::max<int64_t>(1, std::min({blocks, most_groups, room}));
    segment =
        every > 0 ? every : std::max<int64_t>(4, segment_bytes / std::max<int64_t>(1, samples * n * bytes_per_lane));
    segment = std::clamp<int64_t>(segment, 1, std::max<int64_t>(1, steps));
  }
  [[nodiscard]] int64_t first_block(int64_t group) const { return group * blocks / groups; }
  [[nodiscard]] int64_t segments() const { return (steps + segment - 1) / segment; }
};

// Who fired in one block: of step t and sample b the neurons index[start[t * samples + b]] and on.
struct Spikes {
  std::vector<int32_t> index;
  std::vector<int64_t> start;
};

struct Pass : torch::CustomClassHolder {
  RecurrentCall call;
  const bouton_kernel* kernel = nullptr;
  bouton_forward_args args{};  // of a single step, without pointers
  NeuronModel::CoefficientsPtr coefficients;
  bool packed_wanted = false, current_wanted = false, weight_wanted = false, constant = false, keep = false;
  bool spiking = false;        // the output is zeros and ones
  std::vector<Spikes> spikes;  // of each block, where they are kept
};

// The kernel counts lanes through the whole batch, since noise is drawn by lane: a block's own array begins at lane
// `begin`.
template <typename T>
T* from_lane(T* block, int64_t begin) {
  return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(block) - static_cast<uintptr_t>(begin) * sizeof(T));
}

// to[j, i] = from[i, j], by tiles that fit the first-level cache.
template <typename T>
void transpose(const T* from, int64_t n, T* to) {
  constexpr int64_t tile = 16;
  for (int64_t i = 0; i < n; i += tile) {
    for (int64_t j = 0; j < n; j += tile) {
      for (int64_t a = i; a < std::min(n, i + tile); ++a) {
        for (int64_t b = j; b < std::min(n, j + tile); ++b) to[b * n + a] = from[a * n + b];
      }
    }
  }
}

// Arrays cut one after another from a thread's own memory.
class Workspace {
 public:
  explicit Workspace(int64_t bytes) : next_(static_cast<char*>(thread_scratch(bytes))) {}
  template <typename T>
  T* take(int64_t count) {
    T* const start = reinterpret_cast<T*>(next_);
    next_ += bytes<T>(count);
    return start;
  }
  // What an array of `count` takes; odd multiples of a cache line keep arrays out of each other's sets.
  template <typename T>
  [[nodiscard]] static int64_t bytes(int64_t count) {
    constexpr int64_t line = 64;
    return (count * static_cast<int64_t>(sizeof(T)) + line - 1) / line * line + line;
  }

 private:
  char* next_;
};

// One pass over one block.
template <typename T>
class Block {
 public:
  Block(const Pass& pass, const Cut& cut, int64_t number)
      : pass_(pass), cut_(cut), first_(number * cut.samples), samples_(std::min(cut.samples, cut.batch - first_)) {}

  [[nodiscard]] int64_t samples() const { return samples_; }
  [[nodiscard]] int64_t lanes() const { return samples_ * cut_.n; }
  [[nodiscard]] int64_t begin() const { return first_ * cut_.n; }
  [[nodiscard]] int64_t state_elements() const { return pass_.kernel->state_slots * lanes(); }
  // The block's part of step t of data [steps, batch, n].
  template <typename U>
  [[nodiscard]] U* part(U* data, int64_t t) const {
    return data + t * cut_.batch * cut_.n + begin();
  }
  [[nodiscard]] const T* current(const T* data, int64_t t) const { return part(data, pass_.constant ? 0 : t); }

  // The arguments of step t, for arrays of this block's lanes.
  [[nodiscard]] bouton_forward_args arguments(int64_t t, const T* drive, const T* state) const {
    bouton_forward_args args = pass_.args;
    args.first_step = static_cast<long>(t);
    args.lanes = args.input_stride[0] = static_cast<long>(lanes());
    args.begin = static_cast<long>(begin());
    args.end = args.begin + args.lanes;
    args.coefficients = pass_.coefficients->tensor.data_ptr();
    args.inputs[0] = from_lane(drive, begin());
    if (state) args.state_in = from_lane(state, begin());
    return args;
  }

  // state after step t from state before (null: the initial one), output into `output` unless null.
  void step(int64_t t, const T* drive, const T* before, T* after, T* output) const {
    bouton_forward_args args = arguments(t, drive, before);
    args.state_out = from_lane(after, begin());
    if (output) (args.traced_state >= 0 ? args.trace : args.output) = from_lane(output, begin());
    pass_.kernel->forward(&args);
  }

  // What arrives at step t: the current, and what the spikes of the step before bring. Returns where it lies.
  const T* gather(int64_t t, const T* arriving, const T* transposed, const Spikes& spikes, T* drive) const {
    if (t == 0) return arriving;
    const int64_t* start = spikes.start.data() + (t - 1) * samples_;
    for (int64_t b = 0; b < samples_; ++b) {
      gather_rows(arriving + b * cut_.n, transposed, cut_.n, spikes.index.data() + start[b], start[b + 1] - start[b],
                  drive + b * cut_.n);
    }
    return drive;
  }

  // Appends the spikes of one step.
  void list(const T* output, Spikes& spikes) const {
    constexpr int64_t room = 16;
    for (int64_t b = 0; b < samples_; ++b) {
      const int64_t used = spikes.start.back();
      const auto needed = static_cast<std::size_t>(used + cut_.n + room);
      if (needed > spikes.index.size()) spikes.index.resize(std::max(needed, spikes.index.size() * 2));
      spikes.start.push_back(used + list_nonzero(output + b * cut_.n, cut_.n, spikes.index.data() + used));
    }
  }

 private:
  const Pass& pass_;
  const Cut& cut_;
  int64_t first_, samples_;
};

// W in the forms the two directions use.
template <typename T>
struct Matrix {
  Tensor memory;
  const T* transposed = nullptr;  // [from, to], for gathering
  PackedMatrix<T> forward;        // for output that is no spikes
  PackedMatrix<T> backward;

  Matrix(const Tensor& weight, bool spiking, bool backwards) {
    const int64_t n = weight.size(0), packed = PackedMatrix<T>::elements(n, n);
    const T* w = weight.data_ptr<T>();
    memory = at::empty({2, packed}, weight.options().requires_grad(false));
    T* const first = memory.data_ptr<T>();
    if (spiking) {
      transpose(w, n, first);
      transposed = first;
    } else {
      forward = PackedMatrix<T>(w, n, n, /*transposed=*/true, first);
    }
    if (backwards) backward = PackedMatrix<T>(w, n, n, /*transposed=*/false, first + packed);
  }
};

int64_t bytes_per_lane(const Pass& pass) { return (pass.kernel->state_slots + 1) * pass.kernel->scalar_bytes; }

struct Trajectory {
  Tensor output, checkpoints;  // [steps, batch, n]; blocks one after another, each [segments - 1, slots, lanes]
};

// The state a block starts segment k > 0 with.
template <typename T>
T* checkpoint(const Block<T>& block, const Cut& cut, const Pass& pass, const Tensor& checkpoints, int64_t k) {
  return checkpoints.data_ptr<T>() + block.begin() * pass.kernel->state_slots * (cut.segments() - 1) +
         (k - 1) * block.state_elements();
}

template <typename T>
void run_block(Pass& pass, const Cut& cut, int64_t number, const T* current, const Matrix<T>& matrix,
               const Trajectory& path, double& output_sum) {
  const Block<T> block(pass, cut, number);
  const int64_t lanes = block.lanes(), states = block.state_elements();
  Workspace memory(Workspace::bytes<T>(lanes) + Workspace::bytes<T>(states));
  T *const drive = memory.take<T>(lanes), *const state = memory.take<T>(states);
  Spikes spikes;
  spikes.start.push_back(0);
  T* const output = path.output.data_ptr<T>();
  for (int64_t t = 0; t < cut.steps; ++t) {
    if (pass.keep && t > 0 && t % cut.segment == 0)
      std::copy_n(state, states, checkpoint(block, cut, pass, path.checkpoints, t / cut.segment));
    const T* arriving = block.current(current, t);
    T* const out = block.part(output, t);
    if (pass.spiking) {
      arriving = block.gather(t, arriving, matrix.transposed, spikes, drive);
    } else if (t > 0) {
      matrix.forward.multiply_add(arriving, block.part(output, t - 1), block.samples(), drive);
      arriving = drive;
    }
    block.step(t, arriving, t == 0 ? nullptr : state, state, out);
    if (pass.spiking) {
      block.list(out, spikes);
    } else {
      for (int64_t i = 0; i < lanes; ++i) output_sum += static_cast<double>(out[i]);
    }
  }
  if (pass.spiking) output_sum += static_cast<double>(spikes.start.back());
  if (!pass.keep) return;
  spikes.index.resize(static_cast<std::size_t>(spikes.start.back()));
  spikes.index.shrink_to_fit();
  pass.spikes[static_cast<std::size_t>(number)] = std::move(spikes);
}

template <typename T>
Trajectory run(Pass& pass, const Tensor& current, const Tensor& weight) {
  const Cut cut(pass.call.steps, current.size(-2), current.size(-1), bytes_per_lane(pass), pass.call.checkpoint_every);
  const auto type = current.options().requires_grad(false);
  Trajectory path;
  path.output = at::empty({cut.steps, cut.batch, cut.n}, type);
  if (pass.keep) {
    path.checkpoints =
        at::empty({std::max<int64_t>(0, cut.segments() - 1), pass.kernel->state_slots, cut.batch * cut.n}, type);
    pass.spikes.resize(static_cast<std::size_t>(cut.blocks));
  }
  const Matrix<T> matrix(weight, pass.spiking, false);
  std::vector<double> sums(static_cast<std::size_t>(cut.blocks));
  for_parts(cut.blocks, cut.steps * cut.batch * cut.n, [&](int64_t number) {
    run_block(pass, cut, number, current.data_ptr<T>(), matrix, path, sums[static_cast<std::size_t>(number)]);
  });
  for (const double sum : sums) pass.call.output_sum += sum;
  return path;
}

struct Gradients {
  Tensor packed, current, weight;
};

// What one group of blocks adds up.
template <typename T>
struct GroupSums {
  T* weight = nullptr;  // of W^T
  std::vector<double> coefficients;
};

// The backward pass over one block.
template <typename T>
class Adjoint {
 public:
  Adjoint(const Pass& pass, const Cut& cut, const Trajectory& path, const T* current, const Matrix<T>& matrix,
          const T* grad_output, T* grad_drive, bool every_step, int64_t number, GroupSums<T>& sums)
      : pass_(pass),
        cut_(cut),
        path_(path),
        current_(current),
        matrix_(matrix),
        grad_output_(grad_output),
        grad_drive_(grad_drive),
        every_step_(every_step),
        block_(pass, cut, number),
        spikes_(pass.spikes[static_cast<std::size_t>(number)]),
        sums_(sums) {
    const int64_t lanes = block_.lanes(), slots = block_.state_elements();
    const int64_t kernel = 3 * pass.kernel->scratch_bytes_per_step;
    Workspace memory(Workspace::bytes<T>(cut.segment * slots) + Workspace::bytes<T>(cut.segment * lanes) +
                     Workspace::bytes<T>(2 * slots) + Workspace::bytes<T>(3 * lanes) + Workspace::bytes<char>(kernel));
    kernel_scratch_ = memory.take<char>(kernel);
    states_ = memory.take<T>(cut.segment * slots);
    drives_ = memory.take<T>(cut.segment * lanes);
    grad_states_ = memory.take<T>(2 * slots);
    grad_steps_ = memory.take<T>(3 * lanes);
  }

  void run() {
    for (int64_t segment = cut_.segments() - 1; segment >= 0; --segment) {
      const int64_t first = segment * cut_.segment, last = std::min(cut_.steps, first + cut_.segment);
      run_again(segment, first, last);
      for (int64_t t = last - 1; t >= first; --t) step(t, t - first);
    }
  }

 private:
  // The states before the steps of a segment, and what arrived at them.
  void run_again(int64_t segment, int64_t first, int64_t last) {
    const T* output = path_.output.defined() ? path_.output.template data_ptr<T>() : nullptr;  // of spikes: the lists
    if (segment > 0) {
      const T* from = checkpoint(block_, cut_, pass_, path_.checkpoints, segment);
      std::copy_n(from, block_.state_elements(), state(0));
    }
    for (int64_t t = first; t < last; ++t) {
      const int64_t k = t - first;
      T* drive = drives_ + k * block_.lanes();
      const T* arriving = block_.current(current_, t);
      if (pass_.spiking && t > 0) {
        block_.gather(t, arriving, matrix_.transposed, spikes_, drive);
      } else if (t > 0) {
        matrix_.forward.multiply_add(arriving, block_.part(output, t - 1), block_.samples(), drive);
      } else {
        std::copy_n(arriving, block_.lanes(), drive);
      }
      if (t + 1 < last) block_.step(t, drive, t == 0 ? nullptr : state(k), state(k + 1), nullptr);
    }
  }

  // The adjoint of step t, the k-th of its segment.
  void step(int64_t t, int64_t k) {
    const T* grad = block_.part(grad_output_, t);
    const bool crossed = t + 1 < cut_.steps && !(pass_.call.truncate > 0 && (t + 1) % pass_.call.truncate == 0);
    if (crossed) {
      T* sum = grad_steps_;
      matrix_.backward.multiply_add(grad, grad_drive(t + 1), block_.samples(), sum);
      grad = sum;
    }
    bouton_backward_args args{};
    args.forward = block_.arguments(t, drives_ + k * block_.lanes(), t == 0 ? nullptr : state(k));
    (args.forward.traced_state >= 0 ? args.grad_trace : args.grad_output) = from_lane(grad, block_.begin());
    if (crossed) args.grad_state_out = from_lane(grad_state(t + 1), block_.begin());
    if (t > 0) args.grad_state_in = from_lane(grad_state(t), block_.begin());
    args.grad_inputs[0] = from_lane(grad_drive(t), block_.begin());
    args.grad_coefficients = sums_.coefficients.empty() ? nullptr : sums_.coefficients.data();
    args.reset_gradient = pass_.call.model->reset_gradient();
    args.scratch = kernel_scratch_;
    pass_.kernel->backward(&args);
    if (sums_.weight && t > 0) add_weight_gradient(t);
    if (!every_step_ && grad_drive_) {
      const T* from = grad_drive(t);
      T* to = grad_drive_ + block_.begin();
      for (int64_t i = 0; i < block_.lanes(); ++i) to[i] += from[i];
    }
  }

  void add_weight_gradient(int64_t t) {
    const T* row = grad_drive(t);
    const int64_t* start = spikes_.start.data() + (t - 1) * block_.samples();
    for (int64_t b = 0; b < block_.samples(); ++b) {
      scatter_row(row + b * cut_.n, cut_.n, spikes_.index.data() + start[b], start[b + 1] - start[b], sums_.weight);
    }
  }

  T* state(int64_t k) { return states_ + k * block_.state_elements(); }
  T* grad_state(int64_t t) { return grad_states_ + t % 2 * block_.state_elements(); }
  // Of step t: in the tensor of all steps, or two in turns.
  T* grad_drive(int64_t t) {
    return every_step_ ? block_.part(grad_drive_, t) : grad_steps_ + (1 + t % 2) * block_.lanes();
  }

  const Pass& pass_;
  const Cut& cut_;
  const Trajectory& path_;
  const T* current_;
  const Matrix<T>& matrix_;
  const T* grad_output_;
  T* grad_drive_;    // [steps, batch, n]; or the sum over steps [batch, n], or null where nobody wants it
  bool every_step_;  // which of these
  Block<T> block_;
  const Spikes& spikes_;
  GroupSums<T>& sums_;
  char* kernel_scratch_;
  T *states_, *drives_, *grad_states_, *grad_steps_;
};

// The gradient of W [n, n] from those of W^T in the groups [groups, n, n], added in order.
template <typename T>
Tensor collect_weight(const Tensor& groups, const Tensor& weight) {
  Tensor gradient = at::empty_like(weight);
  const int64_t n = weight.size(0);
  T* const sum = groups.data_ptr<T>();
  for (int64_t group = 1; group < groups.size(0); ++group) {
    const T* from = sum + group * n * n;
    for (int64_t i = 0; i < n * n; ++i) sum[i] += from[i];
  }
  transpose(sum, n, gradient.data_ptr<T>());
  return gradient;
}

template <typename T>
Gradients adjoint(const Pass& pass, const Trajectory& path, const Tensor& current, const Tensor& weight,
                  const Tensor& packed, const Tensor& grad_output) {
  const int64_t steps = pass.call.steps, batch = current.size(-2), n = current.size(-1);
  const Cut cut(steps, batch, n, bytes_per_lane(pass), pass.call.checkpoint_every);
  const auto type = grad_output.options().requires_grad(false);
  const bool every_step = pass.constant ? pass.weight_wanted && !pass.spiking
                                        : pass.current_wanted || (pass.weight_wanted && !pass.spiking);
  Tensor grad_drive;
  if (every_step) {
    grad_drive = at::empty({steps, batch, n}, type);
  } else if (pass.current_wanted) {
    grad_drive = at::zeros({batch, n}, type);
  }
  const Matrix<T> matrix(weight, pass.spiking, true);
  std::vector<GroupSums<T>> groups(static_cast<std::size_t>(cut.groups));
  Tensor weight_sums;
  if (pass.weight_wanted && pass.spiking) weight_sums = at::empty({cut.groups, n, n}, type);
  for_parts(cut.groups, 4 * steps * batch * n, [&](int64_t number) {
    GroupSums<T>& sums = groups[static_cast<std::size_t>(number)];
    if (weight_sums.defined())
      sums.weight = std::fill_n(weight_sums.data_ptr<T>() + number * n * n, n * n, T{0}) - n * n;
    if (pass.packed_wanted) sums.coefficients.resize(static_cast<std::size_t>(pass.coefficients->tensor.numel()));
    for (int64_t b = cut.first_block(number); b < cut.first_block(number + 1); ++b) {
      Adjoint<T>(pass, cut, path, current.data_ptr<T>(), matrix, grad_output.data_ptr<T>(),
                 grad_drive.defined() ? grad_drive.data_ptr<T>() : nullptr, every_step, b, sums)
          .run();
    }
  });

  Gradients gradients;
  if (pass.packed_wanted) {
    std::vector<double> total(static_cast<std::size_t>(pass.coefficients->tensor.numel()));
    for (const GroupSums<T>& group : groups) {
      for (std::size_t i = 0; i < total.size() && !group.coefficients.empty(); ++i) total[i] += group.coefficients[i];
    }
    gradients.packed = pass.call.model->packed_gradient(*pass.kernel, *pass.coefficients, total, packed);
  }
  if (pass.weight_wanted && pass.spiking) {
    gradients.weight = collect_weight<T>(weight_sums, weight);
  } else if (pass.weight_wanted && steps > 1) {
    const Tensor later = grad_drive.narrow(0, 1, steps - 1).reshape({-1, n});
    gradients.weight = at::mm(later.t(), path.output.narrow(0, 0, steps - 1).reshape({-1, n}));
  } else if (pass.weight_wanted) {
    gradients.weight = at::zeros_like(weight);
  }
  if (pass.current_wanted) gradients.current = pass.constant && every_step ? grad_drive.sum(0) : grad_drive;
  return gradients;
}

struct RecurrentFunction : torch::autograd::Function<RecurrentFunction> {
  static Tensor forward(AutogradContext* context, c10::intrusive_ptr<Pass> pass, const c10::optional<Tensor>& packed,
                        const Tensor& current, const Tensor& weight) {
    Trajectory path;
    AT_DISPATCH_FLOATING_TYPES(current.scalar_type(), "recurrent",
                               [&] { path = run<scalar_t>(*pass, current, weight); });
    // Spikes are kept as lists; the output itself is needed only where it is something else.
    context->save_for_backward(
        {packed.value_or(Tensor()), current, weight, pass->spiking ? Tensor() : path.output, path.checkpoints});
    context->saved_data["pass"] = c10::IValue::make_capsule(pass);
    context->set_materialize_grads(false);
    return path.output;
  }
  static variable_list backward(AutogradContext* context, variable_list grad_outputs) {
    if (!grad_outputs[0].defined()) return variable_list(4);
    torch::NoGradGuard no_gradient;
    const auto pass = c10::static_intrusive_pointer_cast<Pass>(context->saved_data["pass"].toCapsule());
    const variable_list saved = context->get_saved_variables();
    const Trajectory path{saved[3].defined() ? saved[3].detach() : Tensor(), saved[4]};
    Gradients gradients;
    AT_DISPATCH_FLOATING_TYPES(saved[1].scalar_type(), "recurrent", [&] {
      gradients =
          adjoint<scalar_t>(*pass, path, saved[1].detach(), saved[2].detach(), saved[0], grad_outputs[0].contiguous());
    });
    return {Tensor(), gradients.packed, gradients.current, gradients.weight};
  }
};

}  // namespace

Tensor recurrent_scan(RecurrentCall& call, const Tensor& current, const Tensor& weight, const Tensor& packed) {
  auto pass = c10::make_intrusive<Pass>();
  pass->call = call;
  pass->kernel = &call.model->kernel(current.scalar_type());
  pass->args = call.model->arguments(*pass->kernel, call.smooth);
  pass->args.steps = 1;
  pass->args.seed = call.seed;
  pass->coefficients = call.model->coefficients(current.scalar_type(), packed);
  pass->args.coefficient_stride = static_cast<long>(pass->coefficients->stride);
  pass->spiking = call.model->mechanism().spike && pass->args.traced_state < 0 && !call.smooth;
  pass->constant = current.dim() == 2;
  const bool record = torch::GradMode::is_enabled();
  pass->packed_wanted = record && packed.defined() && packed.requires_grad();
  pass->current_wanted = record && current.requires_grad();
  pass->weight_wanted = record && weight.requires_grad();
  pass->keep = pass->packed_wanted || pass->current_wanted || pass->weight_wanted;

  Tensor output;
  if (pass->keep) {
    // LibTorch takes no undefined tensor for an argument.
    output = RecurrentFunction::apply(pass, packed.defined() ? c10::optional<Tensor>(packed) : c10::nullopt, current,
                                      weight);
  } else {
    torch::NoGradGuard no_gradient;
    AT_DISPATCH_FLOATING_TYPES(current.scalar_type(), "recurrent",
                               [&] { output = run<scalar_t>(*pass, current, weight).output; });
  }
  call.output_sum = pass->call.output_sum;
  return output;
}

}  // namespace bouton::learn
