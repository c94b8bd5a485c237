#include "bouton/base/units.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <map>

namespace bouton {
namespace {

// Every unit is a power of ten of its SI coherent form, so scales stay exact decimals until the very end.
struct NamedUnit {
  std::string_view name;
  Dimension dimension;
  int ten = 0;          // the unit is 10^ten in SI
  bool symbol = false;  // "V", not "volt"
};

struct Prefix {
  std::string_view name;
  int ten;
  bool with_symbols;  // read before symbols too; "EK" should stay free for a potassium reversal potential
};

constexpr Dimension dim(int metre, int kilogram, int second, int ampere, int kelvin = 0, int mole = 0,
                        int candela = 0) {
  return {{metre * 6, kilogram * 6, second * 6, ampere * 6, kelvin * 6, mole * 6, candela * 6}};
}

constexpr Dimension none = dim(0, 0, 0, 0), metre = dim(1, 0, 0, 0), kilogram = dim(0, 1, 0, 0),
                    second = dim(0, 0, 1, 0), ampere = dim(0, 0, 0, 1), kelvin = dim(0, 0, 0, 0, 1),
                    mole = dim(0, 0, 0, 0, 0, 1), candela = dim(0, 0, 0, 0, 0, 0, 1), hertz = dim(0, 0, -1, 0),
                    newton = dim(1, 1, -2, 0), pascal = dim(-1, 1, -2, 0), joule = dim(2, 1, -2, 0),
                    watt = dim(2, 1, -3, 0), coulomb = dim(0, 0, 1, 1), volt = dim(2, 1, -3, -1),
                    farad = dim(-2, -1, 4, 2), ohm = dim(2, 1, -3, -2), siemens = dim(-2, -1, 3, 2),
                    weber = dim(2, 1, -2, -1), tesla = dim(0, 1, -2, -1), henry = dim(2, 1, -2, -2),
                    lux = dim(-2, 0, 0, 0, 0, 0, 1), gray = dim(2, 0, -2, 0), katal = dim(0, 0, -1, 0, 0, 1),
                    litre = dim(3, 0, 0, 0), molar = dim(-3, 0, 0, 0, 0, 1);

constexpr NamedUnit named_units[] = {
    {"metre", metre},
    {"meter", metre},
    {"m", metre, 0, true},
    {"gram", kilogram, -3},
    {"gramme", kilogram, -3},
    {"g", kilogram, -3, true},
    {"second", second},
    {"s", second, 0, true},
    {"amp", ampere},
    {"ampere", ampere},
    {"A", ampere, 0, true},
    {"kelvin", kelvin},
    {"K", kelvin, 0, true},
    {"mole", mole},
    {"mol", mole},
    {"candle", candela},
    {"candela", candela},
    {"cd", candela, 0, true},
    {"radian", none},
    {"rad", none, 0, true},
    {"steradian", none},
    {"sr", none, 0, true},
    {"hertz", hertz},
    {"Hz", hertz, 0, true},
    {"newton", newton},
    {"N", newton, 0, true},
    {"pascal", pascal},
    {"Pa", pascal, 0, true},
    {"joule", joule},
    {"J", joule, 0, true},
    {"watt", watt},
    {"W", watt, 0, true},
    {"coulomb", coulomb},
    {"C", coulomb, 0, true},
    {"volt", volt},
    {"V", volt, 0, true},
    {"farad", farad},
    {"F", farad, 0, true},
    {"ohm", ohm},
    {"siemens", siemens},
    {"S", siemens, 0, true},
    {"weber", weber},
    {"Wb", weber, 0, true},
    {"tesla", tesla},
    {"T", tesla, 0, true},
    {"henry", henry},
    {"H", henry, 0, true},
    {"lumen", candela},
    {"lm", candela, 0, true},
    {"lux", lux},
    {"lx", lux, 0, true},
    {"becquerel", hertz},
    {"Bq", hertz, 0, true},
    {"gray", gray},
    {"Gy", gray, 0, true},
    {"sievert", gray},
    {"Sv", gray, 0, true},
    {"katal", katal},
    {"kat", katal, 0, true},
    {"litre", litre, -3},
    {"liter", litre, -3},
    {"L", litre, -3, true},
    {"molar", molar, 3},
    {"M", molar, 3, true},
    {"kilogram", kilogram},
    {"kilogramme", kilogram},
};

constexpr Prefix prefixes[] = {
    {"", 0, true},    {"y", -24, false}, {"z", -21, false}, {"a", -18, true}, {"f", -15, true}, {"p", -12, true},
    {"n", -9, true},  {"u", -6, true},   {"m", -3, true},   {"c", -2, true},  {"d", -1, true},  {"da", 1, false},
    {"h", 2, false},  {"k", 3, true},    {"M", 6, true},    {"G", 9, true},   {"T", 12, true},  {"P", 15, false},
    {"E", 18, false}, {"Z", 21, false},  {"Y", 24, false},
};

constexpr int largest_sixths = 1'000'000;  // an exponent beyond this is a slip

double power_of_ten(int exponent) {
  const std::string text = "1e" + std::to_string(exponent);
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Dimension scaled(const Dimension& a, int factor) {
  Dimension out;
  for (std::size_t i = 0; i < a.sixths.size(); ++i) out.sixths[i] = a.sixths[i] * factor;
  return out;
}

std::optional<Unit> find_first_power(std::string_view name, int exponent) {
  for (const Prefix& prefix : prefixes) {
    if (!name.starts_with(prefix.name)) continue;
    const std::string_view rest = name.substr(prefix.name.size());
    for (const NamedUnit& unit : named_units) {
      if (unit.name != rest || (unit.symbol && !prefix.with_symbols)) continue;
      if (rest.starts_with("kilo") && !prefix.name.empty()) continue;  // it has its prefix
      return Unit{power_of_ten((prefix.ten + unit.ten) * exponent), scaled(unit.dimension, exponent)};
    }
  }
  return std::nullopt;
}

// --- spelling ---

struct SpellingUnit {
  std::string_view name, symbol;
  Dimension dimension;
  int cost;  // how reluctantly it is used; a physiologist thinks in volts, amperes and seconds first
};

constexpr SpellingUnit spelling_units[] = {
    {"volt", "V", volt, 10},
    {"amp", "A", ampere, 10},
    {"second", "s", second, 10},
    {"metre", "m", metre, 10},
    {"siemens", "S", siemens, 11},
    {"farad", "F", farad, 12},
    {"ohm", "ohm", ohm, 11},
    {"coulomb", "C", coulomb, 14},
    {"mole", "mol", mole, 14},
    {"kelvin", "K", kelvin, 14},
    {"joule", "J", joule, 15},
    {"watt", "W", watt, 15},
    {"newton", "N", newton, 16},
    {"pascal", "Pa", pascal, 17},
    {"kilogram", "kg", kilogram, 18},
    {"candela", "cd", candela, 19},
    {"receptor", "receptor", receptor_dimension, 20},
};

struct Factor {
  std::string_view name;
  int sixths;
};

std::string exponent_text(int sixths) {
  if (sixths % 6 == 0) return std::to_string(sixths / 6);
  if (sixths % 3 == 0) return std::to_string(sixths / 6) + ".5";
  if (sixths % 2 == 0) return "(" + std::to_string(sixths / 2) + "/3)";
  return "(" + std::to_string(sixths) + "/6)";
}

std::string factor_text(const Factor& factor) {
  const int magnitude = std::abs(factor.sixths);
  return std::string(factor.name) + (magnitude == 6 ? "" : "**" + exponent_text(magnitude));
}

std::string product_text(const std::vector<Factor>& factors) {
  std::string above, below;
  int divisors = 0;
  for (const Factor& factor : factors) {
    std::string& side = factor.sixths > 0 ? above : below;
    if (!side.empty()) side += '*';
    side += factor_text(factor);
    divisors += factor.sixths < 0;
  }
  if (above.empty()) above = "1";
  if (below.empty()) return above;
  return above + "/" + (divisors > 1 ? "(" + below + ")" : below);
}

int factor_cost(const SpellingUnit& unit, int sixths) {
  const int magnitude = std::abs(sixths);
  return unit.cost + (magnitude == 6 ? 0 : magnitude % 6 == 0 ? magnitude / 6 : 6) + (sixths < 0 ? 2 : 0);
}

// The exponent (in sixths) of `unit` that equals `wanted` by itself; 0 when there is none.
int exponent_of(const Dimension& unit, const Dimension& wanted) {
  int sixths = 0;
  for (std::size_t i = 0; i < wanted.sixths.size(); ++i) {
    if (unit.sixths[i] == 0) continue;
    const int numerator = wanted.sixths[i] * 6;
    if (numerator % unit.sixths[i] != 0) return 0;
    sixths = numerator / unit.sixths[i];
    break;
  }
  for (std::size_t i = 0; i < wanted.sixths.size(); ++i) {
    if (unit.sixths[i] * sixths != wanted.sixths[i] * 6) return 0;
  }
  return sixths;
}

struct Spelling {
  int cost = 1 << 20;
  std::vector<Factor> factors;
};

// Tries to write `wanted` with at most `left` further units of those from index `first` on, keeping the cheapest
// spelling.
void search_spelling(const Dimension& wanted, int left, std::size_t first, int cost, std::vector<Factor>& chosen,
                     Spelling& best) {
  for (std::size_t i = first; i < std::size(spelling_units); ++i) {
    const SpellingUnit& unit = spelling_units[i];
    const int sixths = exponent_of(unit.dimension, wanted);
    if (sixths == 0) continue;
    const int total = cost + factor_cost(unit, sixths);
    if (total < best.cost) {
      best.cost = total;
      best.factors = chosen;
      best.factors.push_back({unit.name, sixths});
    }
  }
  if (left == 1) return;
  for (std::size_t i = first; i < std::size(spelling_units); ++i) {
    const SpellingUnit& unit = spelling_units[i];
    for (const int sixths : {6, -6, 12, -12, 18, -18, 3, -3}) {
      const int total = cost + factor_cost(unit, sixths);
      if (total + 10 >= best.cost) continue;
      chosen.push_back({unit.name, sixths});
      search_spelling(wanted / power(unit.dimension, sixths, 6).value(), left - 1, i + 1, total, chosen, best);
      chosen.pop_back();
    }
  }
}

std::string spell_in_base_units(const Dimension& dimension) {
  constexpr std::string_view names[] = {"metre", "kilogram", "second", "amp", "kelvin", "mole", "candela", "receptor"};
  std::vector<Factor> factors;
  for (std::size_t i = 0; i < dimension.sixths.size(); ++i) {
    if (dimension.sixths[i] != 0) factors.push_back({names[i], dimension.sixths[i]});
  }
  return product_text(factors);
}

// Six significant digits, without an exponent where a reader would not write one.
std::string digits(double value) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, 6).ptr;
  return {buffer, end};
}

// The value in thousands steps of `symbol`: "20 mV".
std::string with_prefix(double value, std::string_view symbol, int ten) {
  static constexpr std::pair<int, std::string_view> steps[] = {{12, "T"},  {9, "G"},   {6, "M"},  {3, "k"},
                                                               {0, ""},    {-3, "m"},  {-6, "u"}, {-9, "n"},
                                                               {-12, "p"}, {-15, "f"}, {-18, "a"}};
  if (value == 0) return "0 " + std::string(symbol);
  for (const auto& [exponent, prefix] : steps) {
    const int shift = exponent + ten;
    const double scaled = shift <= 0 ? value * power_of_ten(-shift) : value / power_of_ten(shift);
    if (std::abs(scaled) < 0.9999995 && exponent != -18) continue;
    if (std::abs(scaled) >= 1e6 || std::abs(scaled) < 1e-3) break;
    return digits(scaled) + " " + std::string(prefix) + std::string(symbol);
  }
  return digits(value / power_of_ten(ten)) + " " + std::string(symbol);
}

}  // namespace

// Both operators saturate: a hostile text may pile up exponents without end.
Dimension operator*(const Dimension& a, const Dimension& b) {
  Dimension out;
  for (std::size_t i = 0; i < a.sixths.size(); ++i)
    out.sixths[i] = std::clamp(a.sixths[i] + b.sixths[i], -largest_sixths, largest_sixths);
  return out;
}

Dimension operator/(const Dimension& a, const Dimension& b) {
  Dimension out;
  for (std::size_t i = 0; i < a.sixths.size(); ++i)
    out.sixths[i] = std::clamp(a.sixths[i] - b.sixths[i], -largest_sixths, largest_sixths);
  return out;
}

std::optional<Dimension> power(const Dimension& a, int numerator, int denominator) {
  Dimension out;
  if (denominator == 0) return std::nullopt;
  for (std::size_t i = 0; i < a.sixths.size(); ++i) {
    const long long product = static_cast<long long>(a.sixths[i]) * numerator;
    if (product % denominator != 0 || std::abs(product / denominator) > largest_sixths) return std::nullopt;
    out.sixths[i] = static_cast<int>(product / denominator);
  }
  return out;
}

std::optional<Unit> find_unit(std::string_view name) {
  if (name.empty() || name.size() > 24) return std::nullopt;
  if (const auto unit = find_first_power(name, 1)) return unit;
  const char last = name.back();
  if (last == '2' || last == '3') return find_first_power(name.substr(0, name.size() - 1), last - '0');
  return std::nullopt;
}

const std::vector<std::string>& common_unit_names() {
  static const std::vector<std::string> names = {
      "volt",     "mV",    "uV",    "amp",    "mA",     "uA",    "nA",      "pA",      "second", "ms",     "us",
      "siemens",  "mS",    "uS",    "nS",     "pS",     "ohm",   "kohm",    "Mohm",    "Gohm",   "farad",  "uF",
      "nF",       "pF",    "hertz", "Hz",     "kHz",    "metre", "meter",   "cm",      "mm",     "um",     "nm",
      "cm2",      "um2",   "mole",  "molar",  "mM",     "uM",    "nM",      "coulomb", "pC",     "kelvin", "gram",
      "kilogram", "joule", "watt",  "newton", "pascal", "litre", "candela", "tesla",   "weber",  "henry",  "radian"};
  return names;
}

std::string spell(const Dimension& dimension) {
  if (dimension.dimensionless()) return "1";
  // Concentrations have no other usual form in SI.
  if (dimension == molar) return "mole/metre**3";
  Spelling best;
  std::vector<Factor> chosen;
  for (const int most : {1, 2, 3}) {
    search_spelling(dimension, most, 0, 0, chosen, best);
    if (best.factors.empty()) continue;
    std::stable_sort(best.factors.begin(), best.factors.end(),
                     [](const Factor& a, const Factor& b) { return a.sixths > 0 && b.sixths < 0; });
    return product_text(best.factors);
  }
  return spell_in_base_units(dimension);
}

std::string format_quantity(double si_value, const Dimension& dimension) {
  if (dimension.dimensionless()) return digits(si_value);
  if (!std::isfinite(si_value)) return digits(si_value) + " " + spell(dimension);
  if (dimension == molar) return with_prefix(si_value, "M", 3);
  if (dimension == hertz) return with_prefix(si_value, "Hz", 0);
  if (dimension == kilogram) return with_prefix(si_value, "g", -3);
  for (const SpellingUnit& unit : spelling_units) {
    if (unit.dimension == dimension) return with_prefix(si_value, unit.symbol, 0);
  }
  const Dimension area = scaled(metre, 2);
  // Membrane densities are quoted per square centimetre.
  if (dimension == farad / area) return digits(si_value * 100) + " uF/cm**2";
  if (dimension == siemens / area) return digits(si_value / 10) + " mS/cm**2";
  if (dimension == ampere / area) return digits(si_value * 100) + " uA/cm**2";
  const std::string spelled = spell(dimension);
  return digits(si_value) + (spelled.starts_with("1/") ? spelled.substr(1) : " " + spelled);
}

}  // namespace bouton
