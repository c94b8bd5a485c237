// Sparse matrices of spikes against plain loops, at every activity and at sizes that fill no word and no vector.
#include "learn/spikes.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace bouton::learn {
namespace {

struct Shape {
  int64_t rows, width, columns;
};
constexpr Shape shapes[] = {{1, 1, 1}, {3, 64, 16}, {5, 65, 10}, {7, 130, 77}, {2, 200, 300}};
constexpr double activities[] = {0, 0.01, 0.3, 1};

template <typename T>
struct Case {
  Shape shape;
  std::vector<T> spikes, matrix, rows_matrix;  // [rows, width]; [width, padded]; [rows, padded]
  std::vector<uint64_t> words;
  int64_t active = 0, columns;

  Case(Shape shape, double activity) : shape(shape), columns(padded<T>(shape.columns)) {
    std::mt19937 random(7);
    std::uniform_real_distribution<double> uniform(0, 1);
    spikes.resize(static_cast<std::size_t>(shape.rows * shape.width));
    for (T& spike : spikes) active += (spike = uniform(random) < activity) != 0;
    matrix.resize(static_cast<std::size_t>(shape.width * columns));
    rows_matrix.resize(static_cast<std::size_t>(shape.rows * columns));
    for (T& value : matrix) value = static_cast<T>(uniform(random) - 0.5);
    for (T& value : rows_matrix) value = static_cast<T>(uniform(random) - 0.5);
    words.resize(static_cast<std::size_t>(shape.rows * words_of(shape.width)));
    EXPECT_EQ(pack_spikes(spikes.data(), shape.rows, shape.width, words.data()), active);
  }
  [[nodiscard]] SpikeBits bits() const { return {words.data(), shape.rows, shape.width, words_of(shape.width)}; }
  [[nodiscard]] double spike(int64_t r, int64_t k) const {
    return spikes[static_cast<std::size_t>(r * shape.width + k)];
  }
};

template <typename T>
void expect_near(const std::vector<T>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  const double tolerance = sizeof(T) == 4 ? 2e-5 : 1e-13;
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], tolerance) << "at " << i;
}

template <typename T>
class Spikes : public testing::Test {
 public:
  template <typename Body>
  static void for_cases(const Body& body) {
    for (const Shape& shape : shapes) {
      for (const double activity : activities) {
        SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.width << " x " << shape.columns << " at "
                                        << activity);
        body(Case<T>(shape, activity));
      }
    }
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Spikes, Scalars);

TYPED_TEST(Spikes, ComeBackFromBits) {
  TestFixture::for_cases([](const Case<TypeParam>& one) {
    std::vector<TypeParam> back(one.spikes.size(), 7);
    unpack_spikes(one.bits(), back.data());
    EXPECT_EQ(back, one.spikes);
  });
}

TYPED_TEST(Spikes, AreToldFromOtherNumbers) {
  TestFixture::for_cases([](const Case<TypeParam>& one) {
    std::vector<uint64_t> words(one.words.size());
    EXPECT_EQ(pack_binary(one.spikes.data(), one.shape.rows, one.shape.width, words.data()), one.active);
    EXPECT_EQ(words, one.words);
    for (const std::size_t at : {std::size_t{0}, one.spikes.size() / 2, one.spikes.size() - 1}) {
      std::vector<TypeParam> other = one.spikes;
      other[at] = static_cast<TypeParam>(0.5);
      EXPECT_EQ(pack_binary(other.data(), one.shape.rows, one.shape.width, words.data()), -1);
    }
  });
}

TYPED_TEST(Spikes, AreListedByRowAndByColumn) {
  TestFixture::for_cases([](const Case<TypeParam>& one) {
    ActiveLists rows, columns;
    list_rows(one.bits(), rows);
    list_columns(one.bits(), columns);
    ASSERT_EQ(rows.size(), one.shape.rows);
    ASSERT_EQ(columns.size(), one.shape.width);
    std::vector<int32_t> by_row, by_column;
    for (int64_t r = 0; r < one.shape.rows; ++r) {
      for (int64_t k = 0; k < one.shape.width; ++k) {
        if (one.spike(r, k) != 0) by_row.push_back(static_cast<int32_t>(k));
      }
    }
    for (int64_t k = 0; k < one.shape.width; ++k) {
      for (int64_t r = 0; r < one.shape.rows; ++r) {
        if (one.spike(r, k) != 0) by_column.push_back(static_cast<int32_t>(r));
      }
    }
    EXPECT_EQ(std::vector<int32_t>(rows.entries.begin(), rows.entries.begin() + rows.starts.back()), by_row);
    EXPECT_EQ(std::vector<int32_t>(columns.entries.begin(), columns.entries.begin() + columns.starts.back()),
              by_column);
  });
}

TYPED_TEST(Spikes, GatherWhatTheWholeProductGives) {
  TestFixture::for_cases([](const Case<TypeParam>& one) {
    std::vector<double> product(static_cast<std::size_t>(one.shape.rows * one.columns), 0.0), added;
    for (int64_t r = 0; r < one.shape.rows; ++r) {
      for (int64_t k = 0; k < one.shape.width; ++k) {
        for (int64_t c = 0; c < one.columns; ++c)
          product[static_cast<std::size_t>(r * one.columns + c)] +=
              one.spike(r, k) * one.matrix[static_cast<std::size_t>(k * one.columns + c)];
      }
    }
    ActiveLists lists;
    list_rows(one.bits(), lists);
    std::vector<TypeParam> sums(product.size(), 9);
    gather_add(lists, one.matrix.data(), one.columns, false, sums.data());
    expect_near(sums, product);
    gather_add(lists, one.matrix.data(), one.columns, true, sums.data());
    for (double& value : product) value *= 2;
    expect_near(sums, product);
  });
}

TYPED_TEST(Spikes, AddTheTransposedProduct) {
  TestFixture::for_cases([](const Case<TypeParam>& one) {
    std::vector<double> product(static_cast<std::size_t>(one.shape.width * one.columns), 1.0);
    for (int64_t r = 0; r < one.shape.rows; ++r) {
      for (int64_t k = 0; k < one.shape.width; ++k) {
        for (int64_t c = 0; c < one.columns; ++c)
          product[static_cast<std::size_t>(k * one.columns + c)] +=
              one.spike(r, k) * one.rows_matrix[static_cast<std::size_t>(r * one.columns + c)];
      }
    }
    std::vector<TypeParam> sums(product.size(), 1);
    add_transposed_product(one.bits(), one.rows_matrix.data(), one.columns, sums.data());
    expect_near(sums, product);
    ActiveLists lists;
    list_rows(one.bits(), lists);
    std::fill(sums.begin(), sums.end(), 1);
    scatter_add(lists, one.rows_matrix.data(), one.columns, sums.data());
    expect_near(sums, product);
  });
}

TYPED_TEST(Spikes, ATransposedMatrixIsPaddedWithZeros) {
  const std::vector<TypeParam> from = {1, 2, 3, 4, 5, 6};  // [2, 3]
  std::vector<TypeParam> to(3 * 4, 9);
  transpose_padded<TypeParam>(from.data(), 2, 3, to.data(), 4);
  EXPECT_EQ(to, (std::vector<TypeParam>{1, 4, 0, 0, 2, 5, 0, 0, 3, 6, 0, 0}));
}

TEST(Gathering, IsChosenWhereFewAreActive) {
  EXPECT_TRUE(worth_gathering(0, 100));
  EXPECT_TRUE(worth_gathering(30, 100));
  EXPECT_FALSE(worth_gathering(50, 100));
  EXPECT_FALSE(worth_gathering(100, 100));
}

}  // namespace
}  // namespace bouton::learn
