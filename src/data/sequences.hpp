#pragma once
// Random changes of recordings: samples whose rows are stretches of time.

#include <vector>

#include "bouton/base/random.hpp"
#include "bouton/data/images.hpp"

namespace bouton::data {

// One sample's draw, applied to its bytes or numbers [channels, height, width].
class SequenceChange {
 public:
  SequenceChange(const ImageSet& images, const Augmentation& augmentation, RandomStream random);
  template <typename T>
  void apply(std::vector<T>& sample) const;

 private:
  struct Stretch {
    int64_t first = 0, count = 0;
  };
  enum class Drop { nothing, events, time, area };

  template <typename T>
  void drop_events(std::vector<T>& sample) const;
  template <typename T>
  void drop_area(std::vector<T>& sample) const;
  template <typename T>
  void shift_rows(std::vector<T>& sample) const;
  template <typename T>
  void blank_rows(Stretch rows, std::vector<T>& sample) const;
  template <typename T>
  void blank_columns(Stretch columns, std::vector<T>& sample) const;

  int64_t channels_, height_, width_, lines_, line_rows_, line_columns_;  // lines: pictures that rows show
  Drop drop_ = Drop::nothing;
  double share_ = 0;                                       // of single events that go
  Stretch dropped_time_, dropped_rows_, dropped_columns_;  // of the recording; of what a row of it shows
  int64_t shift_ = 0;
  Stretch masked_time_, masked_bands_;
  RandomStream events_;
};

extern template void SequenceChange::apply(std::vector<uint8_t>&) const;
extern template void SequenceChange::apply(std::vector<float>&) const;

}  // namespace bouton::data
