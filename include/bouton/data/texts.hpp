#pragma once
// Texts as sequences of tokens.

#include <filesystem>
#include <string>
#include <vector>

#include "bouton/base/result.hpp"
#include "bouton/data/images.hpp"

namespace bouton::data {

enum class TextFormat {
  lines,      // a file a class, a text a line
  intents,    // train, valid and test, each with seq.in (a text a line) and label; a class a text
  characters  // one file, whose characters are to be foretold
};

struct TextOptions {
  TextFormat format = TextFormat::lines;
  // lines: the files, one a class, named after it without what precedes the last dot; characters: the one file.
  std::vector<std::string> files;
  int64_t length = 40;                  // tokens; what is longer is cut, what is shorter ends in padding
  int64_t vocabulary = 10000;           // the most tokens told apart, padding and unknown ones included
  int64_t least = 1;                    // times a word must stand in the training texts to be known
  double test = 0.1, validation = 0.1;  // lines: parts drawn from `seed`; characters: the end of the text
  uint64_t seed = 1;
};

// Token 0 is padding, 1 a word that is not known; the others are the words of the training texts, the most frequent
// first and equals in alphabetical order. Words are lower case and parted by blanks. Of `characters` every character is
// a token, in the order of their codes, and there is neither padding nor an unknown one: the target of each position is
// the character that follows it, and samples lie end to end. Samples are [1, length, 1]: numbers of tokens.
// Codes: file-*, data-incomplete, text-empty, text-mismatch, too-many-classes, too-many-tokens. Thread safe.
[[nodiscard]] Result<ImageData> load_texts(const std::filesystem::path& folder, const TextOptions& options);

}  // namespace bouton::data
