#include "learn/ordered.hpp"

#include <ATen/Parallel.h>

#include "learn/errors.hpp"
#include "learn/ordered_sums.hpp"
#include "learn/scan.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;

constexpr double norm_epsilon = 1e-5;  // of network.cpp

Tensor floats(const Tensor& x) {
  if (x.scalar_type() != torch::kFloat) fail("ordered-dtype", "ordered sums are for float tensors alone");
  return x.detach().contiguous();
}

const float* data_or_null(const Tensor& x) { return x.defined() ? x.data_ptr<float>() : nullptr; }

template <typename Body>
void for_rows(int64_t rows, const Body& body) {
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) body(r);
  });
}

Window window_of(const Tensor& x, int64_t outputs, int64_t kernel, int64_t stride, int64_t padding) {
  const auto side = [&](int64_t extent) { return (extent + 2 * padding - kernel) / stride + 1; };
  return {.channels = x.size(1),
          .height = x.size(2),
          .width = x.size(3),
          .outputs = outputs,
          .out_height = side(x.size(2)),
          .out_width = side(x.size(3)),
          .kernel = kernel,
          .stride = stride,
          .padding = padding};
}

void add_product(Tensor sums, const Tensor& x, const Tensor& weight, const std::vector<int64_t>& order) {
  const Tensor rows = floats(x), columns = floats(weight.t());
  const int64_t inputs = rows.size(1), outputs = columns.size(1);
  float* to = sums.data_ptr<float>();
  for_rows(rows.size(0), [&](int64_t r) {
    add_ordered(rows.data_ptr<float>() + r * inputs, columns.data_ptr<float>(), order.empty() ? nullptr : order.data(),
                inputs, outputs, to + r * outputs);
  });
}

}  // namespace

Tensor ordered_dense(const Tensor& x, const Tensor& weight, const Tensor& bias, const std::vector<int64_t>& order) {
  const int64_t rows = x.size(0), outputs = weight.size(0);
  Tensor y = bias.defined() ? floats(bias).expand({rows, outputs}).clone(at::MemoryFormat::Contiguous)
                            : torch::zeros({rows, outputs});
  add_product(y, x, weight, order);
  return y;
}

Tensor ordered_convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t stride, int64_t padding) {
  const Tensor images = floats(x), taps = floats(weight.permute({2, 3, 1, 0}));
  const Window w = window_of(images, weight.size(0), weight.size(2), stride, padding);
  const Tensor start = bias.defined() ? floats(bias) : bias;
  Tensor y = torch::empty({images.size(0), w.outputs, w.out_height, w.out_width});
  const int64_t in = w.channels * w.height * w.width, out = w.outputs * w.out_height * w.out_width;
  for_rows(images.size(0), [&](int64_t r) {
    std::vector<float> sums(static_cast<std::size_t>(w.outputs));
    convolve_ordered(images.data_ptr<float>() + r * in, taps.data_ptr<float>(), data_or_null(start), w, sums.data(),
                     y.data_ptr<float>() + r * out);
  });
  return y;
}

Tensor ordered_average_pool(const Tensor& x, int64_t size, int64_t stride) {
  const Tensor images = floats(x);
  const Window w = window_of(images, images.size(1), size, stride, 0);
  Tensor y = torch::empty({images.size(0), w.channels, w.out_height, w.out_width});
  const int64_t in = w.channels * w.height * w.width, out = w.channels * w.out_height * w.out_width;
  for_rows(images.size(0),
           [&](int64_t r) { average_ordered(images.data_ptr<float>() + r * in, w, y.data_ptr<float>() + r * out); });
  return y;
}

Tensor ordered_recurrent(RecurrentCall& call, const Tensor& current, const Tensor& weight, const Tensor& packed,
                         const std::vector<int64_t>& order) {
  const bouton_kernel& kernel = call.model->kernel(current.scalar_type());
  const auto coefficients = call.model->coefficients(current.scalar_type(), packed);
  const int64_t batch = current.size(-2), n = current.size(-1);
  Tensor output = torch::empty({call.steps, batch, n}), drive = torch::empty({batch, n});
  const Tensor state = torch::empty({kernel.state_slots, batch * n});
  bouton_forward_args args = call.model->arguments(kernel, false);
  args.steps = 1;
  args.lanes = args.input_stride[0] = static_cast<long>(batch * n);
  args.seed = call.seed;
  args.coefficients = coefficients->tensor.data_ptr();
  args.coefficient_stride = static_cast<long>(coefficients->stride);
  args.inputs[0] = drive.data_ptr();
  args.state_out = kernel.state_slots > 0 ? state.data_ptr() : nullptr;
  for (int64_t t = 0; t < call.steps; ++t) {
    drive.copy_(current.dim() == 2 ? current : current.select(0, t));
    if (t > 0) add_product(drive, output.select(0, t - 1), weight, order);
    args.first_step = static_cast<long>(t);
    args.state_in = t > 0 ? args.state_out : nullptr;
    (args.traced_state >= 0 ? args.trace : args.output) = output.select(0, t).data_ptr();
    call.output_sum += run_forward(kernel, args);
  }
  return output;
}

NormAffine norm_affine(const NormSpec& spec, const Tensor& weight, const Tensor& bias, const Tensor& mean,
                       const Tensor& variance) {
  const auto exact = [](const Tensor& x) { return x.detach().to(torch::kDouble); };
  const double gain = spec.kind == NormKind::threshold ? spec.alpha * spec.threshold : 1;
  const Tensor scale = exact(weight) * gain / (exact(variance) + norm_epsilon).sqrt();
  return {scale, exact(bias) - exact(mean) * scale};
}

Tensor ordered_norm(const Tensor& x, const NormAffine& affine) {
  std::vector<int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[1] = x.size(1);
  const auto column = [&](const Tensor& values) { return values.to(torch::kFloat).view(shape); };
  const Tensor scaled = floats(x) * column(affine.scale);
  return scaled + column(affine.shift);
}

Tensor ordered_read_out(const Tensor& values, Readout readout) {
  Tensor collected = values.select(0, 0).clone();
  for (int64_t t = 1; t < values.size(0); ++t) {
    const Tensor step = values.select(0, t);
    if (readout == Readout::last_output)
      collected = step;
    else if (readout == Readout::max_output)
      collected = torch::maximum(collected, step);
    else
      collected += step;
  }
  const bool mean = readout == Readout::mean_output || readout == Readout::each_position;
  return mean ? collected / values.size(0) : collected;
}

}  // namespace bouton::learn
