#include "simulate/deliver.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

namespace bouton::engine {
namespace {

using networks::DeliveryBlock;
using networks::DeliveryRow;
using networks::DeliverySegment;
using networks::DeliveryTable;
using networks::Encoding;

constexpr std::size_t line_bytes = 64;

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

// Adds a chunk's synapses. The layouts are those of networks/delivery_table.hpp.
template <Encoding encoding, std::size_t lanes>
inline void add_chunk(const std::byte* chunk, int32_t* accumulators, int32_t uniform_weight) {
#pragma GCC unroll 8
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    if constexpr (encoding == Encoding::packed) {
      const auto word = load<uint32_t>(chunk + 4 * lane);
      accumulators[word >> 16] += static_cast<int16_t>(word);
    } else if constexpr (encoding == Encoding::exact) {
      accumulators[load<uint16_t>(chunk + 2 * lane)] += load<int32_t>(chunk + 2 * lanes + 4 * lane);
    } else {
      accumulators[load<uint16_t>(chunk + 2 * lane)] += uniform_weight;
    }
  }
}

// Sixteen chunks that follow each other, in whatever vectors the processor has.
inline void write_chunks(uint32_t* out, uint32_t first) {
  typedef uint32_t Sixteen __attribute__((vector_size(64)));
  constexpr Sixteen places = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const Sixteen chunks = places + first;
  std::memcpy(out, &chunks, sizeof chunks);
}

// Delivers the segments of one block.
template <Encoding encoding, uint32_t lanes>
class BlockDelivery {
 public:
  BlockDelivery(const std::byte* chunks, int32_t* accumulators, int32_t uniform_weight, ChunkQueue& queue)
      : chunks_(chunks), accumulators_(accumulators), uniform_weight_(uniform_weight), queue_(queue) {}

  void deliver(std::span<const DueSegment> segments) {
    for (const DueSegment& segment : segments) add(segment);
    if (waiting_ > 0) {
      std::fill_n(queue_.chunks.begin() + waiting_, ahead, queue_.chunks[waiting_ - 1]);
      deliver_first(waiting_);
    }
    deliver_tails();
  }

 private:
  static constexpr uint32_t bytes = lanes * (encoding == Encoding::packed ? 4 : encoding == Encoding::exact ? 6 : 2);
  // Memory is asked for this many chunks ahead: far enough to hide its latency, near enough to find room on the way.
  static constexpr uint32_t ahead = std::min(ChunkQueue::most_ahead, 256 / lanes);
  static constexpr uint32_t full = ChunkQueue::capacity;

  const std::byte* at(uint32_t chunk) const { return chunks_ + std::size_t{chunk} * bytes; }
  static void ask(const std::byte* chunk) { __builtin_prefetch(chunk); }

  void add(const DueSegment& segment) {
    uint32_t first = segment.first_chunk;
    uint32_t left = (segment.synapses + lanes - 1) / lanes;
    if constexpr (encoding == Encoding::uniform && lanes > 1) {
      left = segment.synapses / lanes;
      add_tail(first + left, segment.synapses % lanes);
    }
    do {
      const uint32_t taken = std::min(left, full - waiting_);
      uint32_t written = 0;
      do {
        write_chunks(queue_.chunks.data() + waiting_ + written, first + written);
        written += ChunkQueue::stride;
      } while (written < taken);
      waiting_ += taken;
      first += taken;
      left -= taken;
      if (waiting_ == full) make_room();
    } while (left > 0);
  }

  void add_tail(uint32_t chunk, uint32_t synapses) {
    queue_.tails[tails_] = {chunk, synapses};
    tails_ += synapses > 0;
    if (tails_ == queue_.tails.size()) deliver_tails();
  }

  // The last chunks stay, so that what comes after them is asked for while they are delivered.
  void make_room() {
    deliver_first(full - ahead);
    std::copy_n(queue_.chunks.begin() + (full - ahead), ahead, queue_.chunks.begin());
    waiting_ = ahead;
  }

  void deliver_first(uint32_t count) {
    const uint32_t* const queue = queue_.chunks.data();
    if (!asked_) {
      for (uint32_t i = 0; i < ahead; ++i) ask(at(queue[i]));
      asked_ = true;
    }
    int32_t* const accumulators = accumulators_;
    for (uint32_t i = 0; i < count; ++i) {
      ask(at(queue[i + ahead]));
      add_chunk<encoding, lanes>(at(queue[i]), accumulators, uniform_weight_);
    }
  }

  // Every lane of a tail is added, those past its synapses with weight zero: no branch depends on the length.
  void deliver_tails() {
    int32_t weights[2 * lanes] = {};
    std::fill_n(weights, lanes, uniform_weight_);
    for (uint32_t i = 0; i < tails_; ++i) {
      const std::byte* const chunk = at(queue_.tails[i].first_chunk);
      const int32_t* const weight = weights + lanes - queue_.tails[i].synapses;
      for (std::size_t lane = 0; lane < lanes; ++lane) accumulators_[load<uint16_t>(chunk + 2 * lane)] += weight[lane];
    }
    tails_ = 0;
  }

  const std::byte* chunks_;
  int32_t* accumulators_;
  int32_t uniform_weight_;
  ChunkQueue& queue_;
  uint32_t waiting_ = 0, tails_ = 0;
  bool asked_ = false;
};

template <Encoding encoding, uint32_t lanes>
void deliver_segments(const DeliveryBlock& block, std::span<const DueSegment> segments, int32_t* accumulators,
                      int32_t uniform_weight, ChunkQueue& queue) {
  BlockDelivery<encoding, lanes>(block.chunks(), accumulators, uniform_weight, queue).deliver(segments);
}

template <Encoding encoding>
auto deliver_with(uint32_t lanes) {
  return lanes == 8   ? deliver_segments<encoding, 8>
         : lanes == 4 ? deliver_segments<encoding, 4>
                      : deliver_segments<encoding, 1>;
}

auto deliver_with(Encoding encoding, uint32_t lanes) {
  switch (encoding) {
    case Encoding::packed:
      return deliver_with<Encoding::packed>(lanes);
    case Encoding::exact:
      return deliver_with<Encoding::exact>(lanes);
    default:
      return deliver_with<Encoding::uniform>(lanes);
  }
}

}  // namespace

SpikeDelivery::SpikeDelivery(const DeliveryTable& table)
    : table_(&table),
      ring_mask_(std::bit_ceil(std::size_t{table.shape().max_delay}) - 1),
      calendars_(table.blocks().size(), Calendar(ring_mask_ + 1)) {}

void SpikeDelivery::deliver_older(const SpikeHistory& history, int64_t step, std::span<int32_t> accumulators) {
  assert(accumulators.size() >= table_->shape().slots);
  if (step != next_step_) rebuild(history, step);
  next_step_ = step + 1;
  for (std::size_t b = 0; b < calendars_.size(); ++b) deliver_due(b, step, accumulators);
}

void SpikeDelivery::deliver_fresh(const SpikeHistory& history, int64_t step, std::span<int32_t> accumulators) {
  assert(next_step_ == step + 1);
  const std::span<const uint32_t> fresh = history.of_step(step - 1);
  for (std::size_t b = 0; b < calendars_.size(); ++b) {
    const DeliveryBlock& block = table_->blocks()[b];
    constexpr std::size_t most_asked = 256;
    for (const uint32_t source : fresh.first(std::min(fresh.size(), most_asked)))
      if (block.has(source)) __builtin_prefetch(block.row(source));
    schedule(b, fresh, step - 1, step);
    deliver_due(b, step, accumulators);
  }
}

void SpikeDelivery::deliver_due(std::size_t b, int64_t step, std::span<int32_t> accumulators) {
  std::vector<DueSegment>& due = calendars_[b][static_cast<std::size_t>(step) & ring_mask_];
  if (due.empty()) return;
  const DeliveryBlock& block = table_->blocks()[b];
  deliver_with(table_->shape().encoding, block.lanes())(block, due, accumulators.data() + block.first_slot(),
                                                        table_->shape().uniform_weight, queue_);
  due.clear();
}

void SpikeDelivery::rebuild(const SpikeHistory& history, int64_t step) {
  for (Calendar& calendar : calendars_)
    for (std::vector<DueSegment>& due : calendar) due.clear();
  for (uint32_t age = table_->shape().max_delay; age >= 2; --age) {
    const std::span<const uint32_t> spikes = history.of_step(step - age);
    for (std::size_t b = 0; b < calendars_.size(); ++b) schedule(b, spikes, step - age, step);
  }
}

// Puts the segments of spikes of step `emitted` that are due in `from_step` or later on the calendar.
void SpikeDelivery::schedule(std::size_t b, std::span<const uint32_t> spikes, int64_t emitted, int64_t from_step) {
  const DeliveryBlock& block = table_->blocks()[b];
  const DeliverySegment* const segments = block.segments();
  Calendar& calendar = calendars_[b];
  const uint32_t lanes = block.lanes();
  const auto shift = static_cast<unsigned>(std::countr_zero(lanes));
  constexpr std::size_t group = 32;  // spikes whose segments are asked for together
  while (!spikes.empty()) {
    const std::span<const uint32_t> now = spikes.first(std::min(group, spikes.size()));
    spikes = spikes.subspan(now.size());
    for (const uint32_t source : now) {
      if (!block.has(source)) continue;
      const auto* const first = reinterpret_cast<const char*>(segments + block.row(source)->first_segment);
      __builtin_prefetch(first);
      __builtin_prefetch(first + line_bytes);
    }
    for (const uint32_t source : now) {
      if (!block.has(source)) continue;
      const DeliveryRow* const row = block.row(source);
      uint32_t chunk = row[0].first_chunk;
      for (uint32_t s = row[0].first_segment; s < row[1].first_segment; ++s) {
        const DeliverySegment segment = segments[s];
        const int64_t due = emitted + segment.delay;
        if (due >= from_step) calendar[static_cast<std::size_t>(due) & ring_mask_].push_back({chunk, segment.synapses});
        chunk += (segment.synapses + lanes - 1) >> shift;
      }
    }
  }
}

std::size_t SpikeDelivery::bytes() const {
  std::size_t sum = sizeof *this;
  for (const Calendar& calendar : calendars_) {
    sum += calendar.capacity() * sizeof(Calendar::value_type);
    for (const std::vector<DueSegment>& due : calendar) sum += due.capacity() * sizeof(DueSegment);
  }
  return sum;
}

}  // namespace bouton::engine
