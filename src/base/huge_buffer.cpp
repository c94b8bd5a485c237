#include "base/huge_buffer.hpp"

#include <sys/mman.h>

#include <string>

namespace bouton {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t huge_page = std::size_t{2} << 20;

std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }
std::size_t round_down(std::size_t bytes, std::size_t unit) { return bytes / unit * unit; }

}  // namespace

Result<HugeBuffer> HugeBuffer::take(std::size_t bytes) {
  if (bytes == 0) return HugeBuffer();
  const auto refused = [&] {
    return Diagnostic{.code = "memory",
                      .message = "the system refuses " + std::to_string(bytes >> 20) + " MB of memory",
                      .hint = "make the network smaller or close other programs"};
  };
  if (bytes > SIZE_MAX / 2) return refused();  // rounding up must not begin again at zero
  const std::size_t kept = round_up(bytes, page);
  // Map more, then cut to a huge page's boundary: without the alignment the first pages stay small.
  const std::size_t slack = kept < huge_page ? 0 : huge_page;
  void* const mapping =
      mmap(nullptr, kept + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return refused();
  auto* data = static_cast<std::byte*>(mapping);
  if (slack > 0) {
    const std::size_t before = (huge_page - reinterpret_cast<std::uintptr_t>(data) % huge_page) % huge_page;
    if (before > 0) munmap(data, before);
    data += before;
    if (slack > before) munmap(data + kept, slack - before);
    madvise(data, kept, MADV_HUGEPAGE);
  }
  return HugeBuffer(data, bytes);
}

HugeBuffer::~HugeBuffer() {
  if (data_) munmap(data_, round_up(bytes_, page));
}

void HugeBuffer::shrink(std::size_t bytes) {
  if (bytes >= bytes_) return;
  const std::size_t kept = round_up(bytes, page);
  const std::size_t mapped = round_up(bytes_, page);
  if (kept < mapped) munmap(data_ + kept, mapped - kept);
  bytes_ = bytes;
  if (bytes_ == 0) data_ = nullptr;
}

void HugeBuffer::forget(std::size_t begin, std::size_t end) {
  const std::size_t unit = bytes_ < huge_page ? page : huge_page;  // half a huge page given back would be split
  const std::size_t first = round_up(begin, unit);
  const std::size_t last = round_down(end < bytes_ ? end : bytes_, unit);
  if (first < last) madvise(data_ + first, last - first, MADV_DONTNEED);
}

}  // namespace bouton
