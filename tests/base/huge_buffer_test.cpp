#include "base/huge_buffer.hpp"

#include <gtest/gtest.h>

namespace bouton {
namespace {

TEST(HugeBuffer, ComesFilledWithZerosAndOnAHugePagesBoundary) {
  const std::size_t bytes = (std::size_t{5} << 20) + 123;
  const HugeBuffer buffer = HugeBuffer::take(bytes).value();
  EXPECT_EQ(buffer.bytes(), bytes);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.as<char>()) % (std::size_t{2} << 20), 0U);
  for (std::size_t i = 0; i < bytes; ++i) ASSERT_EQ(buffer.as<char>()[i], 0) << i;
}

TEST(HugeBuffer, OfNoBytesIsEmpty) {
  const HugeBuffer buffer = HugeBuffer::take(0).value();
  EXPECT_EQ(buffer.bytes(), 0U);
  EXPECT_EQ(buffer.as<char>(), nullptr);
}

TEST(HugeBuffer, KeepsTheFrontWhenShrunk) {
  HugeBuffer buffer = HugeBuffer::take(std::size_t{8} << 20).value();
  for (std::size_t i = 0; i < buffer.bytes(); ++i) buffer.as<unsigned char>()[i] = static_cast<unsigned char>(i * 7);
  buffer.shrink((std::size_t{3} << 20) + 5);
  EXPECT_EQ(buffer.bytes(), (std::size_t{3} << 20) + 5);
  for (std::size_t i = 0; i < buffer.bytes(); ++i)
    ASSERT_EQ(buffer.as<unsigned char>()[i], static_cast<unsigned char>(i * 7)) << i;
  buffer.shrink(0);
  EXPECT_EQ(buffer.as<char>(), nullptr);
}

TEST(HugeBuffer, ForgetsWholePagesWithinTheRangeAndNothingElse) {
  const std::size_t huge = std::size_t{2} << 20;
  HugeBuffer buffer = HugeBuffer::take(4 * huge).value();
  for (std::size_t i = 0; i < buffer.bytes(); ++i) buffer.as<char>()[i] = 1;
  buffer.forget(1, 3 * huge + 1);
  EXPECT_EQ(buffer.as<char>()[0], 1);
  EXPECT_EQ(buffer.as<char>()[huge - 1], 1);
  EXPECT_EQ(buffer.as<char>()[huge], 0);
  EXPECT_EQ(buffer.as<char>()[3 * huge - 1], 0);
  EXPECT_EQ(buffer.as<char>()[3 * huge], 1);
}

TEST(HugeBuffer, MovesWithoutCopying) {
  HugeBuffer first = HugeBuffer::take(100).value();
  first.as<int>()[3] = 42;
  const int* const place = first.as<int>();
  HugeBuffer second = std::move(first);
  EXPECT_EQ(second.as<int>(), place);
  EXPECT_EQ(second.as<int>()[3], 42);
  first = HugeBuffer();
  second = std::move(first);
  EXPECT_EQ(second.bytes(), 0U);
}

TEST(HugeBuffer, SaysHowMuchTheSystemRefused) {
  const Result<HugeBuffer> refused = HugeBuffer::take(std::size_t{1} << 60);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.diagnostics()[0].code, "memory");
  EXPECT_NE(refused.diagnostics()[0].message.find("1099511627776 MB"), std::string::npos);
}

}  // namespace
}  // namespace bouton
