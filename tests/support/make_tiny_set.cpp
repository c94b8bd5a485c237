// make_tiny_set FOLDER: writes the made-up images of tiny_images.hpp.
#include "support/tiny_images.hpp"

int main(int count, char** words) {
  if (count != 2) return 2;
  bouton::write_tiny_set(words[1], 2000, 300);
  return 0;
}
