#include "bouton/evaluate/tensorboard.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <system_error>
#include <utility>

#include "bouton/base/files.hpp"
#include "bouton/base/hash.hpp"
#include "event.pb.h"

namespace bouton::evaluate {
namespace {

constexpr int string_tensor = 7;

Diagnostic write_failure(const std::filesystem::path& file, int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  Diagnostic d;
  d.code = full ? "disk-full" : "file-unwritable";
  d.message = "the event file cannot be written: " + std::generic_category().message(error);
  d.file = file.string();
  if (full) d.hint = "free some space, or choose another disk";
  return d;
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::string file_name() {
  static std::atomic<int> count{0};
  char host[256] = "localhost";
  ::gethostname(host, sizeof host - 1);
  return "events.out.tfevents." + std::to_string(static_cast<int64_t>(now())) + "." + host + "." +
         std::to_string(::getpid()) + "." + std::to_string(count++);
}

// The framing rotates each checksum and adds a constant, so that a checksum of data that hold checksums stays a good
// one.
uint32_t masked(std::string_view bytes) {
  const uint32_t sum = crc32c(bytes);
  return ((sum >> 15) | (sum << 17)) + 0xa282ead8;
}

template <typename T>
void put(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

// An event with one value of the given tag, to be filled in.
std::pair<record::Event, record::Value*> event_of(const std::string& tag, int64_t step) {
  std::pair<record::Event, record::Value*> made;
  made.first.set_wall_time(now());
  made.first.set_step(step);
  made.second = made.first.mutable_summary()->add_value();
  made.second->set_tag(tag);
  return made;
}

void fill(record::Histogram& histogram, const std::vector<double>& values) {
  constexpr int buckets = 64;
  const auto [smallest, largest] = std::minmax_element(values.begin(), values.end());
  const double low = *smallest, width = *largest > low ? (*largest - low) / buckets : 1;
  std::vector<double> counts(buckets);
  double sum = 0, squares = 0;
  for (const double value : values) {
    ++counts[static_cast<std::size_t>(std::min((value - low) / width, buckets - 1.0))];
    sum += value;
    squares += value * value;
  }
  histogram.set_min(low);
  histogram.set_max(*largest);
  histogram.set_count(static_cast<double>(values.size()));
  histogram.set_sum(sum);
  histogram.set_sum_of_squares(squares);
  for (int i = 0; i < buckets; ++i) {
    histogram.add_bucket_limit(low + (i + 1) * width);
    histogram.add_bucket(counts[static_cast<std::size_t>(i)]);
  }
}

}  // namespace

Result<TensorboardWriter> TensorboardWriter::open(const std::filesystem::path& folder) {
  if (Status made = make_folder(folder); !made) return made.diagnostics();
  const std::filesystem::path file = folder / file_name();
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0) return write_failure(file, errno);
  TensorboardWriter writer(file, descriptor);
  record::Event event;
  event.set_wall_time(now());
  event.set_file_version("brain.Event:2");
  if (Status status = writer.record(event.SerializeAsString()); !status) return status.diagnostics();
  return writer;
}

TensorboardWriter::TensorboardWriter(TensorboardWriter&& other) noexcept
    : file_(std::move(other.file_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

TensorboardWriter& TensorboardWriter::operator=(TensorboardWriter&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

TensorboardWriter::~TensorboardWriter() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status TensorboardWriter::record(const std::string& bytes) {
  std::string framed;
  framed.reserve(bytes.size() + 16);
  put<uint64_t>(framed, bytes.size());
  put<uint32_t>(framed, masked(framed));
  framed += bytes;
  put<uint32_t>(framed, masked(bytes));
  std::string_view left = framed;
  while (!left.empty()) {
    const ssize_t written = ::write(descriptor_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return write_failure(file_, errno);
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  return Done{};
}

Status TensorboardWriter::scalar(const std::string& tag, double value, int64_t step) {
  auto [event, entry] = event_of(tag, step);
  entry->set_scalar(static_cast<float>(value));
  return record(event.SerializeAsString());
}

Status TensorboardWriter::histogram(const std::string& tag, std::span<const float> values, int64_t step) {
  std::vector<double> finite;
  finite.reserve(values.size());
  for (const float value : values) {
    if (std::isfinite(value)) finite.push_back(value);
  }
  if (finite.empty()) return Done{};
  auto [event, entry] = event_of(tag, step);
  fill(*entry->mutable_histogram(), finite);
  return record(event.SerializeAsString());
}

Status TensorboardWriter::image(const std::string& tag, const data::Picture& picture, int64_t step) {
  auto [event, entry] = event_of(tag, step);
  record::Image& image = *entry->mutable_image();
  image.set_height(static_cast<int32_t>(picture.height));
  image.set_width(static_cast<int32_t>(picture.width));
  image.set_colorspace(picture.channels == 1 ? 1 : 3);
  image.set_encoded_image(data::png_bytes(picture));
  return record(event.SerializeAsString());
}

Status TensorboardWriter::text(const std::string& tag, const std::string& markdown, int64_t step) {
  auto [event, entry] = event_of(tag, step);
  entry->mutable_metadata()->mutable_plugin()->set_name("text");
  record::Tensor& tensor = *entry->mutable_tensor();
  tensor.set_type(string_tensor);
  tensor.mutable_shape()->add_dimension()->set_size(1);
  tensor.add_text(markdown);
  return record(event.SerializeAsString());
}

}  // namespace bouton::evaluate
