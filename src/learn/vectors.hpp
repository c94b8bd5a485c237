#pragma once
// Vectors as wide as the processor's, for the few loops that keep sums in registers.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bouton::learn {

#if defined(__AVX512F__)
inline constexpr int64_t vector_bytes = 64;
#elif defined(__AVX__)
inline constexpr int64_t vector_bytes = 32;
#else
inline constexpr int64_t vector_bytes = 16;
#endif

template <typename T>
struct Wide {
  typedef T vec __attribute__((vector_size(vector_bytes), aligned(sizeof(T))));
  static constexpr int64_t lanes = vector_bytes / static_cast<int64_t>(sizeof(T));
};

// Before a loop over vectors that lie in registers: they can only where it is written out.
#define BOUTON_WRITTEN_OUT _Pragma("GCC unroll 32")

template <typename T>
inline typename Wide<T>::vec& vector_at(T* p) {
  return *reinterpret_cast<typename Wide<T>::vec*>(p);
}
template <typename T>
inline const typename Wide<T>::vec& vector_at(const T* p) {
  return *reinterpret_cast<const typename Wide<T>::vec*>(p);
}

// Numbers that begin at a cache line.
template <typename T>
class Lines {
 public:
  explicit Lines(int64_t count = 0) { resize(count); }
  void resize(int64_t count) {
    lines_.resize(static_cast<std::size_t>((count * static_cast<int64_t>(sizeof(T)) + 63) / 64));
  }
  [[nodiscard]] int64_t size() const { return static_cast<int64_t>(lines_.size() * (64 / sizeof(T))); }
  [[nodiscard]] T* data() { return reinterpret_cast<T*>(lines_.data()); }
  [[nodiscard]] const T* data() const { return reinterpret_cast<const T*>(lines_.data()); }

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> lines_;
};

// Memory of one thread, kept between calls, one block a slot; the slot's next call takes it back.
template <typename T, int slot>
T* thread_memory(int64_t count) {
  thread_local Lines<T> memory;
  if (memory.size() < count) memory.resize(count);
  return memory.data();
}

// Calls body.operator()<vectors>(first column) for stretches of columns as wide as the registers allow; `columns` is a
// whole number of vectors.
template <typename T, typename Body>
void for_columns(int64_t columns, const Body& body) {
  constexpr int64_t lanes = Wide<T>::lanes;
  int64_t c = 0;
  for (; c + 8 * lanes <= columns; c += 8 * lanes) body.template operator()<8>(c);
  if (c + 4 * lanes <= columns) {
    body.template operator()<4>(c);
    c += 4 * lanes;
  }
  if (c + 2 * lanes <= columns) {
    body.template operator()<2>(c);
    c += 2 * lanes;
  }
  if (c + lanes <= columns) body.template operator()<1>(c);
}

}  // namespace bouton::learn
