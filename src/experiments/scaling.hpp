#pragma once
// A smaller network with the activity of the whole: sizes and in-degrees times s, weights times 1/sqrt(s), and a
// current for the mean input that this loses (van Albada, Helias & Diesmann 2015, doi:10.1371/journal.pcbi.1004490).

#include <map>
#include <string>
#include <vector>

#include "bouton/networks/network.hpp"

namespace bouton::experiments {

struct Scaling {
  std::map<std::string, double> rates;  // hertz, of populations at full size
  std::string input;                    // where the current enters; empty: the only plain input
  double time_constant = 0;             // seconds: integral of the response to a spike, over its weight
  Origin origin;
};

// The scaled network; `whole` is the compiled one at full size. Codes: cannot-scale, missing-rate.
[[nodiscard]] Result<NetworkSpec> scaled(const Network& whole, const Scaling& scaling, double scale);

}  // namespace bouton::experiments
