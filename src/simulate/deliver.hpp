#pragma once
// Spike delivery: adds what arrives in a step into the accumulators of one slice.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "networks/delivery_table.hpp"
#include "simulate/spike_history.hpp"

namespace bouton::engine {

// Delivers through one table. Every spike of step s reaches the synapses of delay d in step s + d.
//
// A spike's segments are put on a calendar when it is a step old: one list a coming step, of where the synapses lie
// that it delivers. So a step reads one list and the synapses it names, both asked for in advance, and empty segments
// cost nothing. The calendar is a cache of what the history and the table say: it is made anew whenever the step is not
// the one after the last (a fresh start, a resumed run), and nothing of it is saved.
//
// One object a worker thread; the table and the history may be shared. The table outlives the object.

// A segment on its way.
struct DueSegment {
  uint32_t first_chunk = 0;
  uint32_t synapses = 0;
};

// Chunks about to be delivered, one after the other: the loop over them has no short inner loops to mispredict, and
// knows what memory comes next.
struct ChunkQueue {
  static constexpr uint32_t capacity = 1024;
  static constexpr uint32_t most_ahead = 128;  // chunks asked for before they are delivered
  static constexpr uint32_t stride = 16;       // chunks written at once
  alignas(64) std::array<uint32_t, capacity + most_ahead + stride> chunks;
  // Of a uniform table, the last chunks of segments that do not fill them.
  alignas(64) std::array<DueSegment, capacity> tails;
};

class SpikeDelivery {
 public:
  explicit SpikeDelivery(const networks::DeliveryTable& table);

  // What arrives in `step`: first of older spikes, which needs the history up to step - 2 alone, then of the last
  // step's. accumulators: [slots], in quanta; |sum| stays below 2^31 by the caller's choice of the quantum. The history
  // knows the spikes of earlier steps as far back as the table's longest delay. Not thread safe itself.
  void deliver_older(const SpikeHistory& history, int64_t step, std::span<int32_t> accumulators);
  void deliver_fresh(const SpikeHistory& history, int64_t step, std::span<int32_t> accumulators);
  void deliver(const SpikeHistory& history, int64_t step, std::span<int32_t> accumulators) {
    deliver_older(history, step, accumulators);
    deliver_fresh(history, step, accumulators);
  }

  // Memory of the calendar and the scratch.
  [[nodiscard]] std::size_t bytes() const;

 private:
  using Calendar = std::vector<std::vector<DueSegment>>;  // [due step & ring_mask_]

  void deliver_due(std::size_t block, int64_t step, std::span<int32_t> accumulators);
  void rebuild(const SpikeHistory& history, int64_t step);
  void schedule(std::size_t block, std::span<const uint32_t> spikes, int64_t emitted, int64_t from_step);

  const networks::DeliveryTable* table_;
  std::size_t ring_mask_;
  std::vector<Calendar> calendars_;  // [block]
  int64_t next_step_ = -1;           // the step the calendars are good for
  ChunkQueue queue_;
};

}  // namespace bouton::engine
