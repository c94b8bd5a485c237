#pragma once
// Large memory straight from the system, in huge pages where the system grants them. A table read at random places of a
// gigabyte spends its time in address translation unless its pages are large.

#include <cstddef>
#include <cstdint>
#include <utility>

#include "bouton/base/result.hpp"

namespace bouton {

// Zero-filled, page-aligned, movable. Pages cost memory only once touched, so an upper bound may be taken and shrunk.
class HugeBuffer {
 public:
  HugeBuffer() = default;
  HugeBuffer(HugeBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  HugeBuffer& operator=(HugeBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~HugeBuffer();

  // Codes: memory (the system refuses).
  [[nodiscard]] static Result<HugeBuffer> take(std::size_t bytes);

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  // The memory as elements of a type that any bytes make valid.
  template <typename T>
  [[nodiscard]] T* as() const {
    return reinterpret_cast<T*>(data_);
  }

  // Keeps the first `bytes` and gives the whole pages after them back.
  void shrink(std::size_t bytes);

  // Gives the whole pages within [begin, end) back; what they held is lost, reading them gives zeros.
  void forget(std::size_t begin, std::size_t end);

 private:
  HugeBuffer(std::byte* data, std::size_t bytes) : data_(data), bytes_(bytes) {}

  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace bouton
