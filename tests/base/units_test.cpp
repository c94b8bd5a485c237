#include "bouton/base/units.hpp"

#include <cmath>

#include "gtest/gtest.h"

namespace bouton {
namespace {

Unit unit(const std::string& name) {
  const auto found = find_unit(name);
  EXPECT_TRUE(found.has_value()) << name;
  return found.value_or(Unit{});
}

Dimension dimension(const std::string& name) { return unit(name).dimension; }

TEST(Units, EveryNameAndSymbolHasItsSizeAndDimension) {
  struct Row {
    const char* name;
    double scale;
    std::array<int, 7> exponents;  // metre, kilogram, second, ampere, kelvin, mole, candela
  };
  const Row rows[] = {
      {"metre", 1, {1}},
      {"meter", 1, {1}},
      {"m", 1, {1}},
      {"gram", 1e-3, {0, 1}},
      {"gramme", 1e-3, {0, 1}},
      {"kilogram", 1, {0, 1}},
      {"kg", 1, {0, 1}},
      {"second", 1, {0, 0, 1}},
      {"s", 1, {0, 0, 1}},
      {"amp", 1, {0, 0, 0, 1}},
      {"ampere", 1, {0, 0, 0, 1}},
      {"A", 1, {0, 0, 0, 1}},
      {"kelvin", 1, {0, 0, 0, 0, 1}},
      {"mole", 1, {0, 0, 0, 0, 0, 1}},
      {"mol", 1, {0, 0, 0, 0, 0, 1}},
      {"candle", 1, {0, 0, 0, 0, 0, 0, 1}},
      {"candela", 1, {0, 0, 0, 0, 0, 0, 1}},
      {"lumen", 1, {0, 0, 0, 0, 0, 0, 1}},
      {"lux", 1, {-2, 0, 0, 0, 0, 0, 1}},
      {"radian", 1, {}},
      {"steradian", 1, {}},
      {"hertz", 1, {0, 0, -1}},
      {"Hz", 1, {0, 0, -1}},
      {"becquerel", 1, {0, 0, -1}},
      {"newton", 1, {1, 1, -2}},
      {"N", 1, {1, 1, -2}},
      {"pascal", 1, {-1, 1, -2}},
      {"Pa", 1, {-1, 1, -2}},
      {"joule", 1, {2, 1, -2}},
      {"J", 1, {2, 1, -2}},
      {"watt", 1, {2, 1, -3}},
      {"W", 1, {2, 1, -3}},
      {"coulomb", 1, {0, 0, 1, 1}},
      {"C", 1, {0, 0, 1, 1}},
      {"volt", 1, {2, 1, -3, -1}},
      {"V", 1, {2, 1, -3, -1}},
      {"farad", 1, {-2, -1, 4, 2}},
      {"F", 1, {-2, -1, 4, 2}},
      {"ohm", 1, {2, 1, -3, -2}},
      {"siemens", 1, {-2, -1, 3, 2}},
      {"S", 1, {-2, -1, 3, 2}},
      {"weber", 1, {2, 1, -2, -1}},
      {"tesla", 1, {0, 1, -2, -1}},
      {"henry", 1, {2, 1, -2, -2}},
      {"gray", 1, {2, 0, -2}},
      {"sievert", 1, {2, 0, -2}},
      {"katal", 1, {0, 0, -1, 0, 0, 1}},
      {"molar", 1e3, {-3, 0, 0, 0, 0, 1}},
      {"M", 1e3, {-3, 0, 0, 0, 0, 1}},
      {"mM", 1, {-3, 0, 0, 0, 0, 1}},
      {"uM", 1e-3, {-3, 0, 0, 0, 0, 1}},
      {"litre", 1e-3, {3}},
      {"liter", 1e-3, {3}},
      {"mL", 1e-6, {3}},
      {"mV", 1e-3, {2, 1, -3, -1}},
      {"mvolt", 1e-3, {2, 1, -3, -1}},
      {"ms", 1e-3, {0, 0, 1}},
      {"msecond", 1e-3, {0, 0, 1}},
      {"us", 1e-6, {0, 0, 1}},
      {"nS", 1e-9, {-2, -1, 3, 2}},
      {"nsiemens", 1e-9, {-2, -1, 3, 2}},
      {"pA", 1e-12, {0, 0, 0, 1}},
      {"pamp", 1e-12, {0, 0, 0, 1}},
      {"uF", 1e-6, {-2, -1, 4, 2}},
      {"ufarad", 1e-6, {-2, -1, 4, 2}},
      {"pF", 1e-12, {-2, -1, 4, 2}},
      {"Mohm", 1e6, {2, 1, -3, -2}},
      {"Gohm", 1e9, {2, 1, -3, -2}},
      {"kHz", 1e3, {0, 0, -1}},
      {"khertz", 1e3, {0, 0, -1}},
      {"umetre", 1e-6, {1}},
      {"cm", 1e-2, {1}},
      {"cm2", 1e-4, {2}},
      {"metre2", 1, {2}},
      {"um3", 1e-18, {3}},
      {"ms2", 1e-6, {0, 0, 2}},
      {"umetre2", 1e-12, {2}},
      {"volt2", 1, {4, 2, -6, -2}},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(unit(row.name).scale, row.scale) << row.name;
    for (std::size_t i = 0; i < 7; ++i) EXPECT_EQ(unit(row.name).dimension.sixths[i], 6 * row.exponents[i]) << row.name;
  }
}

TEST(Units, EveryPrefixIsRead) {
  const std::pair<const char*, double> prefixes[] = {
      {"y", 1e-24}, {"z", 1e-21}, {"a", 1e-18}, {"f", 1e-15}, {"p", 1e-12}, {"n", 1e-9}, {"u", 1e-6},
      {"m", 1e-3},  {"c", 1e-2},  {"d", 1e-1},  {"da", 1e1},  {"h", 1e2},   {"k", 1e3},  {"M", 1e6},
      {"G", 1e9},   {"T", 1e12},  {"P", 1e15},  {"E", 1e18},  {"Z", 1e21},  {"Y", 1e24}};
  for (const auto& [prefix, scale] : prefixes) {
    EXPECT_EQ(unit(std::string(prefix) + "volt").scale, scale);
    EXPECT_EQ(unit(std::string(prefix) + "metre").scale, scale);
  }
}

TEST(Units, WordsThatAreNoUnitsAreNone) {
  for (const char* name : {"", "1", "mVolt", "volts", "x", "E_L", "EK", "ENa", "V_T", "mm4", "kkg", "xi", "v", "inf",
                           "Mv", "ml2x", "u", "da", "2"}) {
    EXPECT_FALSE(find_unit(name).has_value()) << name;
  }
  EXPECT_FALSE(find_unit(std::string(100000, 'm')).has_value());
}

TEST(Units, EveryNameOfferedInAHintIsAUnit) {
  for (const std::string& name : common_unit_names()) EXPECT_TRUE(find_unit(name).has_value()) << name;
}

TEST(Units, DimensionsMultiplyAndDivide) {
  EXPECT_EQ(dimension("volt") / dimension("amp"), dimension("ohm"));
  EXPECT_EQ(dimension("volt") * dimension("siemens"), dimension("amp"));
  EXPECT_EQ(dimension("farad") / dimension("siemens"), dimension("second"));
  EXPECT_TRUE((dimension("volt") / dimension("mV")).dimensionless());
}

TEST(Units, PowersMayBeRationalWhereTheyComeOutExactly) {
  EXPECT_EQ(power(dimension("volt"), 2), dimension("volt2"));
  EXPECT_EQ(power(*power(dimension("second"), 1, 2), 2), dimension("second"));
  EXPECT_EQ(power(*power(dimension("metre"), 1, 3), 3), dimension("metre"));
  EXPECT_EQ(power(dimension("metre"), 1, 4), std::nullopt);
  EXPECT_EQ(power(dimension("metre"), 1, 0), std::nullopt);
  EXPECT_EQ(power(dimension("metre"), 2000000000), std::nullopt);
}

TEST(Units, HugeExponentsSaturate) {
  Dimension d = *power(dimension("volt"), 10000);
  for (int i = 0; i < 100; ++i) d = d * d;
  EXPECT_FALSE(d.dimensionless());
}

TEST(Units, DimensionsAreSpeltAsPhysiologistsDo) {
  const auto second = dimension("second"), volt = dimension("volt"), amp = dimension("amp"),
             metre2 = dimension("metre2");
  EXPECT_EQ(spell({}), "1");
  EXPECT_EQ(spell(volt), "volt");
  EXPECT_EQ(spell(dimension("ohm")), "ohm");
  EXPECT_EQ(spell(dimension("Hz")), "1/second");
  EXPECT_EQ(spell(volt / second), "volt/second");
  EXPECT_EQ(spell(amp / second), "amp/second");
  EXPECT_EQ(spell(amp / metre2), "amp/metre**2");
  EXPECT_EQ(spell(dimension("siemens") / metre2), "siemens/metre**2");
  EXPECT_EQ(spell(dimension("farad") / metre2), "farad/metre**2");
  EXPECT_EQ(spell(volt * volt), "volt**2");
  EXPECT_EQ(spell(Dimension{} / volt), "1/volt");
  EXPECT_EQ(spell(*power(second, -1, 2)), "1/second**0.5");
  EXPECT_EQ(spell(*power(second, 1, 3)), "second**(1/3)");
  EXPECT_EQ(spell(volt / *power(second, 1, 2)), "volt/second**0.5");
  EXPECT_EQ(spell(Dimension{} / (volt * second)), "1/(volt*second)");
  EXPECT_EQ(spell(dimension("mM")), "mole/metre**3");
  EXPECT_EQ(spell(dimension("siemens") / volt), "siemens/volt");
}

TEST(Units, AnySpellingIsFound) {
  Dimension odd;
  odd.sixths = {1, -7, 5, 13, -6, 2, 4};
  EXPECT_EQ(spell(odd), "metre**(1/6)*second**(5/6)*amp**(13/6)*mole**(1/3)*candela**(2/3)/(kilogram**(7/6)*kelvin)");
}

TEST(Units, QuantitiesGetAReadablePrefix) {
  EXPECT_EQ(format_quantity(0.02, dimension("volt")), "20 mV");
  EXPECT_EQ(format_quantity(-0.0706, dimension("volt")), "-70.6 mV");
  EXPECT_EQ(format_quantity(281e-12, dimension("farad")), "281 pF");
  EXPECT_EQ(format_quantity(1e8, dimension("ohm")), "100 Mohm");
  EXPECT_EQ(format_quantity(1, dimension("second")), "1 s");
  EXPECT_EQ(format_quantity(0, dimension("amp")), "0 A");
  EXPECT_EQ(format_quantity(40, dimension("Hz")), "40 Hz");
  EXPECT_EQ(format_quantity(2.5, dimension("mM")), "2.5 mM");
  EXPECT_EQ(format_quantity(1e-3, dimension("gram")), "1 g");
  EXPECT_EQ(format_quantity(0.123456789, {}), "0.123457");
  EXPECT_EQ(format_quantity(0.01, dimension("farad") / dimension("metre2")), "1 uF/cm**2");
  EXPECT_EQ(format_quantity(360, dimension("siemens") / dimension("metre2")), "36 mS/cm**2");
  EXPECT_EQ(format_quantity(3, dimension("volt") / dimension("second")), "3 volt/second");
  EXPECT_EQ(format_quantity(3, Dimension{} / dimension("volt")), "3/volt");
  EXPECT_EQ(format_quantity(0.9999999, dimension("volt")), "1 V");
  EXPECT_EQ(format_quantity(1e-30, dimension("volt")), "1e-30 V");
  EXPECT_EQ(format_quantity(1e30, dimension("volt")), "1e+30 V");
  EXPECT_EQ(format_quantity(INFINITY, dimension("volt")), "inf volt");
}

}  // namespace
}  // namespace bouton
