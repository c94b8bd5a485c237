#include "networks/delivery_table.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <string>
#include <utility>

namespace bouton::networks {
namespace {

constexpr uint32_t most_block_slots = 65536;
constexpr uint32_t line_slots = 16;       // accumulators in a cache line
constexpr uint32_t most_segment = 65528;  // whole chunks of eight, in 16 bits
constexpr uint32_t most_lanes = 8;
constexpr std::size_t place_ahead = 24;  // synapses between asking for a row's end and writing there
constexpr std::size_t forget_step = std::size_t{32} << 20;

// What each encoding keeps of a synapse: a record as it is placed; a key, by which the synapses of one delay are
// sorted and which is all that stays; chunks of keys.
struct Packed {
  static constexpr uint32_t needed_bytes = 6;  // a synapse at most while building: of the record and of the chunks
  struct Record {
    uint16_t target;
    uint16_t weight;
    uint16_t delay;
  };
  using Key = uint32_t;
  static Record record(uint32_t target, uint16_t delay, int32_t weight) {
    return {static_cast<uint16_t>(target), static_cast<uint16_t>(weight), delay};
  }
  static Key key(const Record& record) { return uint32_t{record.target} << 16 | record.weight; }
  static uint32_t target(Key key) { return key >> 16; }
  static Key silent(uint32_t target) { return target << 16; }
  static void write(std::byte* out, const Key* keys, uint32_t chunks, uint32_t lanes) {
    std::memcpy(out, keys, std::size_t{chunks} * lanes * sizeof(Key));
  }
};

struct Exact {
  static constexpr uint32_t needed_bytes = 9;
  struct Record {
    uint16_t target;
    uint16_t delay;
    int32_t weight;
  };
  using Key = uint64_t;
  static Record record(uint32_t target, uint16_t delay, int32_t weight) {
    return {static_cast<uint16_t>(target), delay, weight};
  }
  static Key key(const Record& record) { return uint64_t{record.target} << 32 | static_cast<uint32_t>(record.weight); }
  static uint32_t target(Key key) { return static_cast<uint32_t>(key >> 32); }
  static Key silent(uint32_t target) { return uint64_t{target} << 32; }
  static void write(std::byte* out, const Key* keys, uint32_t chunks, uint32_t lanes) {
    const std::size_t step = lanes;
    for (uint32_t chunk = 0; chunk < chunks; ++chunk, keys += step, out += 6 * step) {
      for (std::size_t lane = 0; lane < step; ++lane) {
        const auto target = static_cast<uint16_t>(keys[lane] >> 32);
        const auto weight = static_cast<uint32_t>(keys[lane]);
        std::memcpy(out + 2 * lane, &target, 2);
        std::memcpy(out + 2 * step + 4 * lane, &weight, 4);
      }
    }
  }
};

struct Uniform {
  static constexpr uint32_t needed_bytes = 4;
  struct Record {
    uint16_t target;
    uint16_t delay;
  };
  using Key = uint16_t;
  static Record record(uint32_t target, uint16_t delay, int32_t) { return {static_cast<uint16_t>(target), delay}; }
  static Key key(const Record& record) { return record.target; }
  static uint32_t target(Key key) { return key; }
  static Key silent(uint32_t target) { return static_cast<Key>(target); }
  static void write(std::byte* out, const Key* keys, uint32_t chunks, uint32_t lanes) {
    std::memcpy(out, keys, std::size_t{chunks} * lanes * sizeof(Key));
  }
};

// Calls body with the encoding's type.
template <typename Body>
decltype(auto) with(Encoding encoding, Body&& body) {
  switch (encoding) {
    case Encoding::packed:
      return body(Packed());
    case Encoding::exact:
      return body(Exact());
    default:
      return body(Uniform());
  }
}

// Sorts the records of one row into runs of one delay.
template <typename Code>
class RowSorter {
 public:
  using Key = typename Code::Key;

  explicit RowSorter(uint32_t max_delay) : begin_(max_delay + 2), max_delay_(max_delay) {}

  // body(delay, keys, count) for each delay that occurs, ascending; keys ascending.
  template <typename Body>
  void runs(std::span<const typename Code::Record> row, const Body& body) {
    if (max_delay_ <= 4 * row.size() + 64)
      by_counting(row, body);
    else
      by_comparing(row, body);
  }

 private:
  template <typename Body>
  void by_counting(std::span<const typename Code::Record> row, const Body& body) {
    std::fill(begin_.begin(), begin_.end(), 0);
    for (const auto& record : row) ++begin_[record.delay + 1];
    for (uint32_t delay = 1; delay < begin_.size(); ++delay) begin_[delay] += begin_[delay - 1];
    keys_.resize(std::max(keys_.size(), row.size()));
    for (const auto& record : row) keys_[begin_[record.delay]++] = Code::key(record);
    uint32_t first = 0;  // each begin has moved to its run's end
    for (uint32_t delay = 1; delay <= max_delay_; ++delay) {
      const uint32_t last = begin_[delay];
      if (first == last) continue;
      Key* const keys = keys_.data() + first;
      if (!std::is_sorted(keys, keys + (last - first))) std::sort(keys, keys + (last - first));
      body(static_cast<uint16_t>(delay), keys, last - first);
      first = last;
    }
  }

  // For rows with far fewer synapses than there are delays.
  template <typename Body>
  void by_comparing(std::span<const typename Code::Record> row, const Body& body) {
    constexpr int key_bits = 48;  // the widest key; the delay goes above it
    constexpr uint64_t key_mask = (uint64_t{1} << key_bits) - 1;
    sorted_.clear();
    for (const auto& record : row) sorted_.push_back(uint64_t{record.delay} << key_bits | Code::key(record));
    std::sort(sorted_.begin(), sorted_.end());
    for (std::size_t i = 0; i < sorted_.size();) {
      const uint64_t delay = sorted_[i] >> key_bits;
      keys_.clear();
      for (; i < sorted_.size() && sorted_[i] >> key_bits == delay; ++i)
        keys_.push_back(static_cast<Key>(sorted_[i] & key_mask));
      body(static_cast<uint16_t>(delay), keys_.data(), static_cast<uint32_t>(keys_.size()));
    }
  }

  std::vector<uint32_t> begin_;  // [delay]: of its run in keys_
  std::vector<Key> keys_;
  std::vector<uint64_t> sorted_;
  uint32_t max_delay_;
};

// Synapses to a chunk: long ones for long segments, where the padding of a segment's last chunk weighs little.
uint32_t lanes_for(double mean_segment) { return mean_segment >= 32 ? 8 : mean_segment >= 6 ? 4 : 1; }

// Writes a block's rows, segments and chunks one after the other. The buffers are large enough for any rows of the
// lengths announced, and cut at the end.
template <typename Code>
class BlockWriter {
 public:
  using Key = typename Code::Key;

  BlockWriter(uint32_t slots, uint32_t lanes, DeliveryRow* rows, DeliverySegment* segments, std::byte* chunks,
              uint32_t chunk_size)
      : slots_(slots), lanes_(lanes), rows_(rows), segments_(segments), chunks_(chunks), chunk_size_(chunk_size) {}

  void begin_row() { *rows_++ = {chunk_, segment_}; }

  void add_run(uint16_t delay, const Key* keys, uint32_t count) {
    for (; count > most_segment; count -= most_segment, keys += most_segment) add_segment(delay, keys, most_segment);
    add_segment(delay, keys, count);
  }

  [[nodiscard]] std::size_t chunk_bytes_written() const { return std::size_t{chunk_} * chunk_size_; }
  [[nodiscard]] uint32_t segments_written() const { return segment_; }

 private:
  void add_segment(uint16_t delay, const Key* keys, uint32_t count) {
    const uint32_t whole = count / lanes_;
    const uint32_t rest = count % lanes_;
    std::byte* const out = chunks_ + chunk_bytes_written();
    Code::write(out, keys, whole, lanes_);
    if (rest > 0) {
      const std::array<Key, most_lanes> last = padded(keys + whole * lanes_, rest);
      Code::write(out + std::size_t{whole} * chunk_size_, last.data(), 1, lanes_);
    }
    segments_[segment_++] = {delay, static_cast<uint16_t>(count)};
    chunk_ += whole + (rest > 0);
  }

  // Padding aims at the other accumulators of the last synapse's cache line: that line is at hand, and additions to one
  // and the same accumulator would wait for each other.
  std::array<Key, most_lanes> padded(const Key* keys, uint32_t count) const {
    std::array<Key, most_lanes> chunk{};
    std::copy(keys, keys + count, chunk.begin());
    const uint32_t last = Code::target(keys[count - 1]);
    for (uint32_t lane = count; lane < lanes_; ++lane) {
      const uint32_t beside = (last & ~(line_slots - 1)) | ((last + 1 + lane - count) & (line_slots - 1));
      chunk[lane] = Code::silent(beside < slots_ ? beside : last);
    }
    return chunk;
  }

  uint32_t slots_, lanes_;
  DeliveryRow* rows_;
  DeliverySegment* segments_;
  std::byte* chunks_;
  uint32_t chunk_size_;
  uint32_t chunk_ = 0, segment_ = 0;
};

// The least and the greatest; in locals, so that the loop vectorises.
template <typename T>
std::pair<T, T> range_of(std::span<const T> values) {
  T least = values[0], most = values[0];
  for (const T value : values) {
    least = std::min(least, value);
    most = std::max(most, value);
  }
  return {least, most};
}

Diagnostic weight_refused(int32_t least, int32_t most, std::string encoding, std::string hint) {
  return {.code = "weight-range",
          .message = "weights between " + std::to_string(least) + " and " + std::to_string(most) +
                     " quanta do not fit " + std::move(encoding),
          .hint = std::move(hint)};
}

}  // namespace

std::size_t DeliveryTable::bytes() const {
  std::size_t sum = 0;
  for (const DeliveryBlock& block : blocks_) sum += block.bytes();
  return sum;
}

DeliveryTableBuilder::DeliveryTableBuilder(const DeliveryShape& shape) : shape_(shape) {
  const uint32_t blocks = std::max<uint32_t>(1, (shape.slots + (most_block_slots - 1)) / most_block_slots);
  const uint32_t each = (shape.slots + blocks - 1) / blocks;
  block_slots_ = std::max(line_slots, (each + line_slots - 1) / line_slots * line_slots);
  blocks_.resize(blocks);
  for (Block& block : blocks_) block.cursors.resize(shape.sources);
}

void DeliveryTableBuilder::count(std::span<const uint32_t> sources, uint32_t slot) {
  assert(slot < shape_.slots);
  Block& block = blocks_[block_of(slot)];
  for (const uint32_t source : sources) ++block.cursors[source].end;
  block.synapses += sources.size();
}

void DeliveryTableBuilder::count(uint32_t source, std::span<const uint32_t> slots) {
  assert(source < shape_.sources);
  if (blocks_.size() == 1) {
    blocks_[0].cursors[source].end += static_cast<uint32_t>(slots.size());
    blocks_[0].synapses += slots.size();
    return;
  }
  for (const uint32_t slot : slots) {
    Block& block = blocks_[block_of(slot)];
    ++block.cursors[source].end;
    ++block.synapses;
  }
}

std::size_t DeliveryTableBuilder::record_bytes() const {
  return with(shape_.encoding, [](auto code) { return sizeof(typename decltype(code)::Record); });
}

std::size_t DeliveryTableBuilder::bytes_needed() const {
  const std::size_t each = with(shape_.encoding, [](auto code) -> std::size_t { return decltype(code)::needed_bytes; });
  std::size_t sum = 0;
  for (const Block& block : blocks_) {
    const std::size_t records = block.synapses * record_bytes();
    const std::size_t segments = std::min<std::size_t>(block.synapses, std::size_t{shape_.sources} * shape_.max_delay);
    sum += block.synapses * each + std::min(records, forget_step) + segments * sizeof(DeliverySegment) +
           shape_.sources * (sizeof(Cursor) + sizeof(DeliveryRow));
  }
  return sum;
}

Status DeliveryTableBuilder::allocate() {
  if (shape_.max_delay < 1 || shape_.max_delay > UINT16_MAX) {
    return Diagnostic{.code = "delay-range",
                      .message = "a delay of " + std::to_string(shape_.max_delay) + " steps is not between 1 and 65535",
                      .hint = "choose a longer time step or shorter delays"};
  }
  for (Block& block : blocks_) {
    if (block.synapses > UINT32_MAX) {
      return Diagnostic{.code = "table-size",
                        .message = std::to_string(block.synapses) +
                                   " synapses onto the neurons of one thread are more "
                                   "than 4294967295",
                        .hint = "use more threads or ranks"};
    }
    Result<HugeBuffer> records = HugeBuffer::take(block.synapses * record_bytes());
    if (!records) return records.diagnostics();
    block.records = std::move(records).value();
    uint32_t next = 0;
    for (Cursor& cursor : block.cursors) {
      const uint32_t synapses = cursor.end;
      cursor = {.next = next, .end = next + synapses};
      next += synapses;
    }
  }
  return Done{};
}

void DeliveryTableBuilder::note(std::span<const uint16_t> delays, std::span<const int32_t> weights) {
  if (!delays.empty()) {
    const auto [least, most] = range_of(delays);
    least_delay_ = std::min(least_delay_, least);
    most_delay_ = std::max(most_delay_, most);
  }
  if (!weights.empty()) {
    const auto [least, most] = range_of(weights);
    least_weight_ = std::min(least_weight_, least);
    most_weight_ = std::max(most_weight_, most);
  }
}

template <typename Code>
void DeliveryTableBuilder::place_in(Block& block, uint32_t source, uint32_t target, uint16_t delay, int32_t weight) {
  Cursor& cursor = block.cursors[source];
  if (cursor.next == cursor.end) {
    mismatch_ = true;
    return;
  }
  block.records.as<typename Code::Record>()[cursor.next++] = Code::record(target, delay, weight);
}

template <typename Code>
void DeliveryTableBuilder::place_sources(std::span<const uint32_t> sources, uint32_t slot,
                                         std::span<const uint16_t> delays, std::span<const int32_t> weights) {
  const uint32_t in = block_of(slot);
  const uint32_t target = slot - in * block_slots_;
  Block& block = blocks_[in];
  const auto* const records = block.records.as<typename Code::Record>();
  for (std::size_t i = 0; i < sources.size(); ++i) {
    // Each source's records grow at a place of their own: ask for it early.
    const uint32_t coming = sources[std::min(i + place_ahead, sources.size() - 1)];
    __builtin_prefetch(records + block.cursors[coming].next, 1);
    place_in<Code>(block, sources[i], target, delays[i], weights.empty() ? 0 : weights[i]);
  }
}

template <typename Code>
void DeliveryTableBuilder::place_slots(uint32_t source, std::span<const uint32_t> slots,
                                       std::span<const uint16_t> delays, std::span<const int32_t> weights) {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const uint32_t in = block_of(slots[i]);
    place_in<Code>(blocks_[in], source, slots[i] - in * block_slots_, delays[i], weights.empty() ? 0 : weights[i]);
  }
}

void DeliveryTableBuilder::place(std::span<const uint32_t> sources, uint32_t slot, std::span<const uint16_t> delays,
                                 std::span<const int32_t> weights) {
  assert(slot < shape_.slots && delays.size() == sources.size());
  assert(weights.size() == sources.size() || (weights.empty() && shape_.encoding == Encoding::uniform));
  note(delays, weights);
  with(shape_.encoding, [&](auto code) { place_sources<decltype(code)>(sources, slot, delays, weights); });
}

void DeliveryTableBuilder::place(uint32_t source, std::span<const uint32_t> slots, std::span<const uint16_t> delays,
                                 std::span<const int32_t> weights) {
  assert(source < shape_.sources && delays.size() == slots.size());
  assert(weights.size() == slots.size() || (weights.empty() && shape_.encoding == Encoding::uniform));
  note(delays, weights);
  with(shape_.encoding, [&](auto code) { place_slots<decltype(code)>(source, slots, delays, weights); });
}

Status DeliveryTableBuilder::check() const {
  if (least_delay_ <= most_delay_ && (least_delay_ < 1 || most_delay_ > shape_.max_delay)) {
    return Diagnostic{.code = "delay-range",
                      .message = "delays between " + std::to_string(least_delay_) + " and " +
                                 std::to_string(most_delay_) + " steps are not between 1 and " +
                                 std::to_string(shape_.max_delay)};
  }
  if (shape_.encoding == Encoding::packed && (least_weight_ < INT16_MIN || most_weight_ > INT16_MAX) &&
      least_weight_ <= most_weight_)
    return weight_refused(least_weight_, most_weight_, "16 bits", "ask for exact weights");
  const bool varied = least_weight_ != shape_.uniform_weight || most_weight_ != shape_.uniform_weight;
  if (shape_.encoding == Encoding::uniform && least_weight_ <= most_weight_ && varied)
    return weight_refused(least_weight_, most_weight_, "a projection of one weight", "keep a weight for each synapse");
  const bool missing = std::any_of(blocks_.begin(), blocks_.end(), [](const Block& block) {
    return std::any_of(block.cursors.begin(), block.cursors.end(), [](const Cursor& c) { return c.next != c.end; });
  });
  if (mismatch_ || missing)
    return Diagnostic{.code = "table-mismatch", .message = "other synapses were placed than had been counted"};
  return Done{};
}

template <typename Code>
Result<DeliveryBlock> DeliveryTableBuilder::finish_block(Block& block, uint32_t first_slot) {
  using Record = typename Code::Record;
  DeliveryBlock made;
  made.first_slot_ = first_slot;
  made.slots_ = std::min(block_slots_, shape_.slots - first_slot);

  const std::vector<Cursor>& ends = block.cursors;  // [source]: where the records of a source end
  const auto begin_of = [&](uint32_t source) { return source == 0 ? 0 : ends[source - 1].end; };
  uint32_t first = 0, last = shape_.sources;  // the sources that have synapses are within [first, last)
  while (last > first && begin_of(last - 1) == ends[last - 1].end) --last;
  while (first < last && begin_of(first) == ends[first].end) ++first;
  made.first_source_ = first;
  made.sources_ = last - first;

  const Record* const records = block.records.as<const Record>();
  const auto row_of = [&](uint32_t source) {
    return std::span(records + begin_of(source), records + ends[source].end);
  };
  RowSorter<Code> sorter(shape_.max_delay);

  // The mean segment of a few hundred rows decides the chunks' size.
  uint64_t synapses = 0, segments = 0;
  for (uint32_t source = first; source < last; source += 1 + (last - first) / 512) {
    sorter.runs(row_of(source), [&](uint16_t, const auto*, uint32_t count) {
      synapses += count;
      ++segments;
    });
  }
  made.lanes_ = lanes_for(segments > 0 ? static_cast<double>(synapses) / static_cast<double>(segments) : 0);

  uint64_t most_segments = 0, most_chunks = 0;
  for (uint32_t source = first; source < last; ++source) {
    const uint64_t count = ends[source].end - begin_of(source);
    const uint64_t runs = std::min<uint64_t>(count, shape_.max_delay);
    most_segments += runs + count / most_segment;
    most_chunks += (count + runs * (made.lanes_ - 1)) / made.lanes_;
  }
  const uint32_t chunk_size = chunk_bytes(shape_.encoding, made.lanes_);
  const auto take = [](HugeBuffer& buffer, std::size_t bytes) -> Status {
    Result<HugeBuffer> taken = HugeBuffer::take(bytes);
    if (!taken) return taken.diagnostics();
    buffer = std::move(taken).value();
    return Done{};
  };
  if (Status s = take(made.rows_, (std::size_t{last - first} + 1) * sizeof(DeliveryRow)); !s) return s.diagnostics();
  if (Status s = take(made.segments_, most_segments * sizeof(DeliverySegment)); !s) return s.diagnostics();
  if (Status s = take(made.chunks_, most_chunks * chunk_size); !s) return s.diagnostics();

  BlockWriter<Code> writer(made.slots_, made.lanes_, made.rows_.as<DeliveryRow>(), made.segments_.as<DeliverySegment>(),
                           made.chunks_.as<std::byte>(), chunk_size);
  std::size_t forgotten = 0;
  for (uint32_t source = first; source < last; ++source) {
    writer.begin_row();
    sorter.runs(row_of(source),
                [&](uint16_t delay, const auto* keys, uint32_t count) { writer.add_run(delay, keys, count); });
    // Records give way to what is made of them, so that both are never there whole.
    const std::size_t done = std::size_t{ends[source].end} * sizeof(Record);
    if (done - forgotten > forget_step) {
      block.records.forget(forgotten, done);
      forgotten = done;
    }
  }
  writer.begin_row();  // where the last one ends
  made.segments_.shrink(writer.segments_written() * sizeof(DeliverySegment));
  made.chunks_.shrink(writer.chunk_bytes_written());
  block = {};
  return made;
}

Result<DeliveryTable> DeliveryTableBuilder::finish() {
  if (Status fit = check(); !fit) return fit.diagnostics();
  DeliveryTable table;
  table.shape_ = shape_;
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    table.synapses_ += blocks_[b].synapses;
    Result<DeliveryBlock> made = with(shape_.encoding, [&](auto code) {
      return finish_block<decltype(code)>(blocks_[b], static_cast<uint32_t>(b) * block_slots_);
    });
    if (!made) return made.diagnostics();
    table.blocks_.push_back(std::move(made).value());
  }
  return table;
}

}  // namespace bouton::networks
