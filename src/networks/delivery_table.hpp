#pragma once
// Where the static synapses of one slice live: a slice is the neurons one worker thread owns, and the table holds every
// synapse onto them. A source's synapses are sorted by delay, then by target, so that the spikes of age d read one
// contiguous run each and add it into one vector of accumulators that fits the second-level cache (no ring buffer).
//
// Layout. The accumulators are cut in blocks of at most 65536, so that a target is 16 bits within its block. A block
// has
//   rows      one a source (of the range of sources that have any): where its segments and its chunks begin
//   segments  {delay, synapses}, by delay: only those that are not empty
//   chunks    groups of `lanes` synapses, one after the other; each segment fills whole chunks, the last one padded
// A chunk is, by encoding,
//   packed    lanes x uint32: target << 16 | weight as 16 bits       4 bytes a synapse
//   exact     lanes x uint16 target, lanes x int32 weight            6 bytes
//   uniform   lanes x uint16 target                                  2 bytes; one weight for the whole table
// Chunks of fixed size let delivery run without a loop whose count the processor mispredicts. Padding of packed and
// exact chunks has weight zero; in uniform ones delivery leaves it out. Tables of short segments have smaller chunks.
//
// Sums are exact integers: what arrives does not depend on the number of slices, nor on the order of delivery. The
// quantum of an accumulator is the caller's affair, and so is that |sum| stays below 2^31.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/huge_buffer.hpp"
#include "bouton/base/result.hpp"

namespace bouton::networks {

enum class Encoding { packed, exact, uniform };

struct DeliveryShape {
  uint32_t sources = 0;    // dense global ids [0, sources)
  uint32_t slots = 0;      // accumulators of this slice [0, slots): one a (neuron, receptor)
  uint32_t max_delay = 1;  // steps, 1..65535; the longest that is placed
  Encoding encoding = Encoding::packed;
  int32_t uniform_weight = 0;  // of every synapse, in quanta; Encoding::uniform alone
};

struct DeliveryRow {
  uint32_t first_chunk = 0;
  uint32_t first_segment = 0;
};

// At most 65528 synapses: a longer run is several segments of the same delay, all but the last of whole chunks.
struct DeliverySegment {
  uint16_t delay = 0;  // steps
  uint16_t synapses = 0;
};

class DeliveryBlock {
 public:
  [[nodiscard]] uint32_t first_slot() const { return first_slot_; }
  [[nodiscard]] uint32_t slots() const { return slots_; }
  [[nodiscard]] uint32_t lanes() const { return lanes_; }  // synapses a chunk: 8, 4 or 1
  [[nodiscard]] const std::byte* chunks() const { return chunks_.as<const std::byte>(); }
  [[nodiscard]] std::size_t chunks_bytes() const { return chunks_.bytes(); }

  // Whether the block has a row for this source; a row may be empty.
  [[nodiscard]] bool has(uint32_t source) const { return source - first_source_ < sources_; }
  // The row of a source that the block has, and after it where it ends.
  [[nodiscard]] const DeliveryRow* row(uint32_t source) const {
    return rows_.as<const DeliveryRow>() + (source - first_source_);
  }
  [[nodiscard]] const DeliverySegment* segments() const { return segments_.as<const DeliverySegment>(); }

  [[nodiscard]] std::size_t bytes() const { return rows_.bytes() + segments_.bytes() + chunks_.bytes(); }

 private:
  friend class DeliveryTableBuilder;

  uint32_t first_slot_ = 0, slots_ = 0, lanes_ = 1;
  uint32_t first_source_ = 0, sources_ = 0;
  HugeBuffer rows_, segments_, chunks_;
};

// Constant once built; shared freely between threads.
class DeliveryTable {
 public:
  [[nodiscard]] const DeliveryShape& shape() const { return shape_; }
  [[nodiscard]] std::span<const DeliveryBlock> blocks() const { return blocks_; }
  [[nodiscard]] uint64_t synapses() const { return synapses_; }
  [[nodiscard]] std::size_t bytes() const;  // of everything that stays

  // body(slot, delay, weight) for every synapse of a source, block by block, within one by delay, then slot, then
  // weight.
  template <typename Body>
  void for_each_synapse(uint32_t source, Body&& body) const;

 private:
  friend class DeliveryTableBuilder;

  DeliveryShape shape_;
  std::vector<DeliveryBlock> blocks_;
  uint64_t synapses_ = 0;
};

// Builds a table in two passes over the same synapses, in any order, each pass in batches:
//   count     how many synapses each source has (neither delays nor weights need drawing yet)
//   allocate  takes the memory; bytes_needed() says before how much at most
//   place     each synapse
//   finish    sorts; the table is the same for every order of placing
// One builder a slice, used by one thread at a time; builders of different slices are independent.
class DeliveryTableBuilder {
 public:
  explicit DeliveryTableBuilder(const DeliveryShape& shape);

  // One target with many sources; one source with many targets.
  void count(std::span<const uint32_t> sources, uint32_t slot);
  void count(uint32_t source, std::span<const uint32_t> slots);

  // The most memory that building takes at any moment: the finished table is smaller.
  [[nodiscard]] std::size_t bytes_needed() const;

  // Codes: delay-range (max_delay not in 1..65535), table-size (over 2^32 - 1 synapses in a block), memory.
  [[nodiscard]] Status allocate();

  // Delays in steps; weights in quanta, none for a uniform table.
  void place(std::span<const uint32_t> sources, uint32_t slot, std::span<const uint16_t> delays,
             std::span<const int32_t> weights);
  void place(uint32_t source, std::span<const uint32_t> slots, std::span<const uint16_t> delays,
             std::span<const int32_t> weights);

  // Codes: delay-range (a placed delay is not in 1..max_delay), weight-range (a weight does not fit the encoding),
  // table-mismatch (other synapses were placed than counted), memory. The builder is spent.
  [[nodiscard]] Result<DeliveryTable> finish();

 private:
  // Of one source in one block: where its next synapse goes, and where the next source's begin. Counting uses `end`.
  struct Cursor {
    uint32_t next = 0;
    uint32_t end = 0;
  };
  struct Block {
    std::vector<Cursor> cursors;  // [sources]
    uint64_t synapses = 0;
    HugeBuffer records;  // as placed: by source, in the order of placing
  };

  [[nodiscard]] uint32_t block_of(uint32_t slot) const { return slot / block_slots_; }
  [[nodiscard]] std::size_t record_bytes() const;
  void note(std::span<const uint16_t> delays, std::span<const int32_t> weights);
  [[nodiscard]] Status check() const;
  template <typename Code>
  void place_in(Block& block, uint32_t source, uint32_t target, uint16_t delay, int32_t weight);
  template <typename Code>
  void place_sources(std::span<const uint32_t> sources, uint32_t slot, std::span<const uint16_t> delays,
                     std::span<const int32_t> weights);
  template <typename Code>
  void place_slots(uint32_t source, std::span<const uint32_t> slots, std::span<const uint16_t> delays,
                   std::span<const int32_t> weights);
  template <typename Code>
  [[nodiscard]] Result<DeliveryBlock> finish_block(Block& block, uint32_t first_slot);

  DeliveryShape shape_;
  uint32_t block_slots_ = 1;
  std::vector<Block> blocks_;
  // What was seen while placing: delays are judged once, at the end.
  uint16_t least_delay_ = UINT16_MAX, most_delay_ = 0;
  int32_t least_weight_ = INT32_MAX, most_weight_ = INT32_MIN;
  bool mismatch_ = false;
};

// One synapse of a chunk, for those who look at tables; delivery has its own loops.
struct DeliveredSynapse {
  uint16_t target;  // within the block
  int32_t weight;
};

[[nodiscard]] inline uint32_t chunk_bytes(Encoding encoding, uint32_t lanes) {
  return lanes * (encoding == Encoding::packed ? 4 : encoding == Encoding::exact ? 6 : 2);
}

[[nodiscard]] inline DeliveredSynapse synapse_at(const DeliveryShape& shape, const std::byte* chunk, std::size_t lanes,
                                                 std::size_t lane) {
  if (shape.encoding == Encoding::packed) {
    uint32_t word;
    std::memcpy(&word, chunk + 4 * lane, 4);
    return {static_cast<uint16_t>(word >> 16), static_cast<int16_t>(word)};
  }
  DeliveredSynapse synapse{0, shape.uniform_weight};
  std::memcpy(&synapse.target, chunk + 2 * lane, 2);
  if (shape.encoding == Encoding::exact) std::memcpy(&synapse.weight, chunk + 2 * lanes + 4 * lane, 4);
  return synapse;
}

template <typename Body>
void DeliveryTable::for_each_synapse(uint32_t source, Body&& body) const {
  for (const DeliveryBlock& block : blocks_) {
    if (!block.has(source)) continue;
    const DeliveryRow* row = block.row(source);
    const uint32_t lanes = block.lanes();
    const std::byte* chunk = block.chunks() + std::size_t{row[0].first_chunk} * chunk_bytes(shape_.encoding, lanes);
    for (uint32_t s = row[0].first_segment; s < row[1].first_segment; ++s) {
      const DeliverySegment segment = block.segments()[s];
      for (uint32_t done = 0; done < segment.synapses; done += lanes) {
        for (uint32_t lane = 0; lane < lanes && done + lane < segment.synapses; ++lane) {
          const DeliveredSynapse synapse = synapse_at(shape_, chunk, lanes, lane);
          body(block.first_slot() + synapse.target, uint32_t{segment.delay}, synapse.weight);
        }
        chunk += chunk_bytes(shape_.encoding, lanes);
      }
    }
  }
}

}  // namespace bouton::networks
