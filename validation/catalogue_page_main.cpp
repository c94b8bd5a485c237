// Prints docs/catalogue.md.

#include <cstdio>
#include <exception>

#include "mechanisms/catalogue_page.hpp"

int main() {
  try {
    const std::string page = bouton::validation::catalogue_page();
    return std::fwrite(page.data(), 1, page.size(), stdout) == page.size() ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
