#include "data/sequences.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

namespace bouton::data {
namespace {

// So many of `whole`, anywhere in it.
template <typename Stretch>
Stretch anywhere(int64_t count, int64_t whole, RandomStream& random) {
  count = std::min(count, whole);
  return {random.below(static_cast<uint32_t>(whole - count + 1)), count};
}

int64_t part_of(double share, int64_t whole) {
  return static_cast<int64_t>(std::llround(share * static_cast<double>(whole)));
}

int64_t up_to(int64_t most, RandomStream& random) { return random.below(static_cast<uint32_t>(most + 1)); }

}  // namespace

SequenceChange::SequenceChange(const ImageSet& images, const Augmentation& a, RandomStream random)
    : channels_(images.channels),
      height_(images.height),
      width_(images.width),
      lines_(images.channels * images.height * images.row_planes),
      line_rows_(images.row_height),
      line_columns_(images.width / (images.row_planes * images.row_height)),
      events_(random) {
  // All are drawn, asked for or not: switching one on leaves the others as they were.
  const double which = random.uniform(), part = random.uniform();
  std::array<Drop, 4> kinds{};  // nothing, and those asked for
  std::size_t count = 1;
  if (a.drop_events > 0) kinds[count++] = Drop::events;
  if (a.drop_time > 0) kinds[count++] = Drop::time;
  if (a.drop_area > 0) kinds[count++] = Drop::area;
  drop_ = kinds[static_cast<std::size_t>(which * static_cast<double>(count))];
  share_ = a.drop_events * part;
  dropped_time_ = anywhere<Stretch>(part_of(a.drop_time * part, height_), height_, random);
  // Both sides of an area shrink alike; a line of channels has but one.
  const bool line = line_rows_ == 1;
  const double side = line ? a.drop_area * part : std::sqrt(a.drop_area * part);
  dropped_rows_ = anywhere<Stretch>(line ? 1 : part_of(side, line_rows_), line_rows_, random);
  dropped_columns_ = anywhere<Stretch>(part_of(side, line_columns_), line_columns_, random);
  shift_ = up_to(2 * a.shift_time, random) - a.shift_time;
  masked_time_ = anywhere<Stretch>(up_to(a.mask_time, random), height_, random);
  masked_bands_ = anywhere<Stretch>(up_to(a.mask_bands, random), width_, random);
  events_ = RandomStream(random.bits64(), purpose("dropped events"));
}

// Each event of a count by itself.
template <typename T>
void SequenceChange::drop_events(std::vector<T>& sample) const {
  if constexpr (std::is_same_v<T, uint8_t>) {
    RandomStream random = events_;
    const auto limit = static_cast<uint32_t>(std::min(share_ * 0x1p32, 0x1p32 - 1));
    for (uint8_t& count : sample) {
      for (int event = count; event > 0; --event) count -= random.bits() < limit ? 1 : 0;
    }
  }
}

template <typename T>
void SequenceChange::drop_area(std::vector<T>& sample) const {
  for (int64_t line = 0; line < lines_; ++line) {
    for (int64_t row = dropped_rows_.first; row < dropped_rows_.first + dropped_rows_.count; ++row)
      std::fill_n(sample.begin() + (line * line_rows_ + row) * line_columns_ + dropped_columns_.first,
                  dropped_columns_.count, T{0});
  }
}

template <typename T>
void SequenceChange::shift_rows(std::vector<T>& sample) const {
  const int64_t moved = std::min(std::abs(shift_), height_) * width_;
  for (int64_t channel = 0; channel < channels_; ++channel) {
    const auto begin = sample.begin() + channel * height_ * width_, end = begin + height_ * width_;
    if (shift_ > 0) {
      std::copy_backward(begin, end - moved, end);
      std::fill(begin, begin + moved, T{0});
    } else {
      std::copy(begin + moved, end, begin);
      std::fill(end - moved, end, T{0});
    }
  }
}

template <typename T>
void SequenceChange::blank_rows(Stretch rows, std::vector<T>& sample) const {
  for (int64_t channel = 0; channel < channels_; ++channel)
    std::fill_n(sample.begin() + (channel * height_ + rows.first) * width_, rows.count * width_, T{0});
}

template <typename T>
void SequenceChange::blank_columns(Stretch columns, std::vector<T>& sample) const {
  for (int64_t row = 0; row < channels_ * height_; ++row)
    std::fill_n(sample.begin() + row * width_ + columns.first, columns.count, T{0});
}

template <typename T>
void SequenceChange::apply(std::vector<T>& sample) const {
  if (drop_ == Drop::events) drop_events(sample);
  if (drop_ == Drop::time) blank_rows(dropped_time_, sample);
  if (drop_ == Drop::area) drop_area(sample);
  if (shift_ != 0) shift_rows(sample);
  blank_rows(masked_time_, sample);
  blank_columns(masked_bands_, sample);
}

template void SequenceChange::apply(std::vector<uint8_t>&) const;
template void SequenceChange::apply(std::vector<float>&) const;

}  // namespace bouton::data
