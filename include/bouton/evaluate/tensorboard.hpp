#pragma once
// TensorBoard's event files: scalars, histograms, pictures and texts over the steps of a run.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "bouton/base/result.hpp"
#include "bouton/data/png.hpp"

namespace bouton::evaluate {

// Appends to one event file of its own in `folder`, which TensorBoard shows as one run together with those written
// there earlier. Each record reaches the system in one write before the call returns: a killed run loses nothing.
// Movable; not thread safe itself.
class TensorboardWriter {
 public:
  // Creates the folder where missing. Codes: those of make_folder; file-unwritable.
  [[nodiscard]] static Result<TensorboardWriter> open(const std::filesystem::path& folder);

  TensorboardWriter(TensorboardWriter&& other) noexcept;
  TensorboardWriter& operator=(TensorboardWriter&& other) noexcept;
  TensorboardWriter(const TensorboardWriter&) = delete;
  TensorboardWriter& operator=(const TensorboardWriter&) = delete;
  ~TensorboardWriter();

  // Tags group by '/': "loss/train". Codes: disk-full, file-unwritable.
  Status scalar(const std::string& tag, double value, int64_t step);
  // 64 buckets of one width from the smallest to the largest value; what is not finite is left out.
  Status histogram(const std::string& tag, std::span<const float> values, int64_t step);
  Status image(const std::string& tag, const data::Picture& picture, int64_t step);
  Status text(const std::string& tag, const std::string& markdown, int64_t step);

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

 private:
  TensorboardWriter(std::filesystem::path file, int descriptor) : file_(std::move(file)), descriptor_(descriptor) {}
  Status record(const std::string& bytes);
  std::filesystem::path file_;
  int descriptor_ = -1;
};

}  // namespace bouton::evaluate
