#pragma once
// Content hashes: SHA-256 (FIPS 180-4) for identity, CRC-32 for damage in transit.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace bouton {

// SHA-256 of bytes that arrive in parts. Not thread safe itself.
class Sha256 {
 public:
  Sha256();
  void update(std::string_view bytes);
  // The digest as 64 lower-case hexadecimal digits; the object is used up.
  [[nodiscard]] std::string hex();

 private:
  void block(const unsigned char* bytes);
  std::array<uint32_t, 8> state_;
  std::array<unsigned char, 64> pending_{};
  uint64_t length_ = 0;  // bytes so far
};

// 64 lower-case hexadecimal digits. Thread safe.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

// CRC-32 (ISO-HDLC, as in gzip and PNG: "123456789" gives cbf43926); `so_far` continues an earlier part. Thread safe.
[[nodiscard]] uint32_t crc32(std::string_view bytes, uint32_t so_far = 0);

// CRC-32C (Castagnoli, as in TensorFlow's record files: "123456789" gives e3069283). Thread safe.
[[nodiscard]] uint32_t crc32c(std::string_view bytes, uint32_t so_far = 0);

}  // namespace bouton
