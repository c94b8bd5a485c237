#include <cstdio>

#include "bouton/mechanisms/mechanisms.hpp"
namespace bouton {
std::string explain(const CompiledMechanism& mechanism) { std::string s; for (auto& l : mechanism.step_text()) s += l + "\n"; return s; }
}
