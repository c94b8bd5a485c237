#pragma once
// How things look on the terminal and in JSON.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "bouton/base/diagnostic.hpp"

namespace bouton::app {

// How the user calls this program: "./bouton" through the launcher, else "bouton".
[[nodiscard]] std::string program_name();

// A path or word as one word of a shell line, quoted only where it must be.
[[nodiscard]] std::string shell_word(const std::string& word);

// {"error": {...the first...}, "errors": [...all...]}
[[nodiscard]] nlohmann::ordered_json to_json(const std::vector<Diagnostic>& diagnostics);

// [{"layer": name, "activity": rate}, ...] in the network's order.
[[nodiscard]] nlohmann::ordered_json activity_json(const std::vector<std::pair<std::string, double>>& activity);
// "conv1 0.081, conv2 0.042"
[[nodiscard]] std::string activity_text(const std::vector<std::pair<std::string, double>>& activity);

// "12.3 s", "2 min 05 s"
[[nodiscard]] std::string duration_text(double seconds);

// Rows of cells as aligned columns; the last column is not padded. Each line starts with `indent`.
[[nodiscard]] std::string table(const std::vector<std::vector<std::string>>& rows, const std::string& indent = "  ");

}  // namespace bouton::app
