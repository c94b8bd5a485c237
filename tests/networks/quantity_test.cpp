// Quantities as C++ writes them.
#include "bouton/base/quantity.hpp"

#include "gtest/gtest.h"

namespace bouton {
namespace {

using namespace literals;

TEST(Quantity, LiteralsAreSiValuesWithTheirDimension) {
  EXPECT_EQ(20_ms, (Quantity{20e-3, dimensions::second}));
  EXPECT_EQ(0.1_ms, (Quantity{0.1 * 1e-3, dimensions::second}));
  EXPECT_EQ(-70_mV, (Quantity{-70 * 1e-3, dimensions::volt}));
  EXPECT_EQ(250_pF, (Quantity{250 * 1e-12, dimensions::farad}));
  EXPECT_EQ(100_Mohm, (Quantity{100 * 1e6, dimensions::ohm}));
  EXPECT_EQ(3_nS, (Quantity{3 * 1e-9, dimensions::siemens}));
}

TEST(Quantity, DimensionsOfLiteralsAreThoseOfTheNamedUnits) {
  const auto agrees = [](const Quantity& literal, const char* unit) {
    const Unit named = find_unit(unit).value();
    EXPECT_EQ(literal.dimension, named.dimension) << unit;
    EXPECT_DOUBLE_EQ(literal.value, named.scale) << unit;
  };
  agrees(1_s, "second");
  agrees(1_ms, "ms");
  agrees(1_us, "us");
  agrees(1_Hz, "Hz");
  agrees(1_kHz, "kHz");
  agrees(1_V, "volt");
  agrees(1_mV, "mV");
  agrees(1_uA, "uA");
  agrees(1_nA, "nA");
  agrees(1_pA, "pA");
  agrees(1_uS, "uS");
  agrees(1_nS, "nS");
  agrees(1_pF, "pF");
  agrees(1_nF, "nF");
  agrees(1_Mohm, "Mohm");
  agrees(1_mm, "mm");
  agrees(1_um, "um");
}

TEST(Quantity, ProductsAndQuotientsMultiplyDimensions) {
  const Quantity tau = 100_Mohm * 200_pF;
  EXPECT_EQ(tau.dimension, dimensions::second);
  EXPECT_DOUBLE_EQ(tau.value, 20e-3);
  EXPECT_EQ((1_mV / 1_nA).dimension, dimensions::ohm);
  EXPECT_EQ((5_mV / 1_mV).dimension, dimensions::none);
  EXPECT_EQ((2 * 3_ms).dimension, dimensions::second);
  EXPECT_EQ((-(3_ms)).value, -3e-3);
}

}  // namespace
}  // namespace bouton
