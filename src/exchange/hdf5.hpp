#pragma once
// What Bouton uses of the HDF5 library, with its handles closed and its failures thrown as diagnostics.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <hdf5.h>

#include "bouton/base/result.hpp"

namespace bouton::exchange {

// An open object of a file. Functions throw Error with code hdf5.
class Hdf5 {
 public:
  Hdf5() = default;
  Hdf5(hid_t id, herr_t (*close)(hid_t), const std::string& what);
  ~Hdf5();
  Hdf5(Hdf5&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Hdf5& operator=(Hdf5&& other) noexcept;
  Hdf5(const Hdf5&) = delete;
  Hdf5& operator=(const Hdf5&) = delete;
  [[nodiscard]] hid_t id() const { return id_; }

 private:
  hid_t id_ = -1;
  herr_t (*close_)(hid_t) = nullptr;
};

// Element types of memory and file (the latter little-endian, as SONATA asks).
template <typename T>
struct Hdf5Type;
template <>
struct Hdf5Type<float> {
  static hid_t memory() { return H5T_NATIVE_FLOAT; }
  static hid_t file() { return H5T_IEEE_F32LE; }
};
template <>
struct Hdf5Type<double> {
  static hid_t memory() { return H5T_NATIVE_DOUBLE; }
  static hid_t file() { return H5T_IEEE_F64LE; }
};
template <>
struct Hdf5Type<std::uint64_t> {
  static hid_t memory() { return H5T_NATIVE_UINT64; }
  static hid_t file() { return H5T_STD_U64LE; }
};
template <>
struct Hdf5Type<std::uint32_t> {
  static hid_t memory() { return H5T_NATIVE_UINT32; }
  static hid_t file() { return H5T_STD_U32LE; }
};

[[nodiscard]] Hdf5 make_group(hid_t parent, const std::string& name);
// A dataset with all its values. With `compressed`, in chunks of whole rows, shuffled and deflated lightly.
void write_raw(hid_t parent, const std::string& name, hid_t memory, hid_t file, const void* values,
               const std::vector<hsize_t>& shape, bool compressed);
template <typename T>
void write_values(hid_t parent, const std::string& name, const std::vector<T>& values,
                  std::vector<hsize_t> shape = {}) {
  if (shape.empty()) shape = {values.size()};
  write_raw(parent, name, Hdf5Type<T>::memory(), Hdf5Type<T>::file(), values.data(), shape, values.size() > 4096);
}
void write_attribute(hid_t object, const std::string& name, const std::string& text);
void write_attribute(hid_t object, const std::string& name, const std::vector<std::uint32_t>& values);
// One of `names` by its place, as an enumeration.
void write_enum(hid_t object, const std::string& name, const std::vector<std::string>& names, std::uint8_t value);
[[nodiscard]] Hdf5 open_dataset(hid_t parent, const std::string& name);

// A one-dimensional dataset of any number type; refuses more than `most` values before memory is taken.
[[nodiscard]] std::vector<double> read_numbers(hid_t parent, const std::string& name, std::uint64_t most);
[[nodiscard]] std::vector<std::string> names_in_group(hid_t group);

// Calls `write` with a new file beside `path` and gives it its name once it is whole. Catches what `write` throws.
[[nodiscard]] Status write_hdf5(const std::filesystem::path& path, const std::function<void(hid_t file)>& write);
// Opens for reading and catches what `read` throws. Codes: file-not-found, hdf5.
[[nodiscard]] Status read_hdf5(const std::filesystem::path& path, const std::function<void(hid_t file)>& read);

}  // namespace bouton::exchange
