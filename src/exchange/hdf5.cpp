#include "exchange/hdf5.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bouton/base/files.hpp"

namespace bouton::exchange {
namespace {

namespace fs = std::filesystem;

constexpr hsize_t chunk_bytes = 1 << 20;

// The innermost message of the library's own account of what went wrong.
std::string library_message() {
  std::string message;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
        auto& text = *static_cast<std::string*>(out);
        if (text.empty() && error->desc != nullptr) text = error->desc;
        return 0;
      },
      &message);
  return message;
}

[[noreturn]] void fail(const std::string& what) {
  const std::string reason = library_message();
  throw Error(Diagnostic{.code = "hdf5", .message = what + (reason.empty() ? "" : ": " + reason)});
}

void check(herr_t status, const std::string& what) {
  if (status < 0) fail(what);
}

Hdf5 space_of(const std::vector<hsize_t>& shape) {
  return {H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose, "a shape is refused"};
}

// The library prints its errors unless told not to.
void be_quiet() {
  static const bool done = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
  (void)done;
}

Diagnostic in_file(Diagnostic diagnostic, const fs::path& path) {
  diagnostic.file = path.string();
  return diagnostic;
}

Status synchronise(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool failed = file < 0 || ::fsync(file) != 0;
  const int reason = errno;
  if (file >= 0) ::close(file);
  if (!failed) return Done{};
  return Diagnostic{.code = reason == ENOSPC ? "disk-full" : "file-unwritable",
                    .message = std::string("cannot be written: ") + std::strerror(reason)};
}

}  // namespace

Hdf5::Hdf5(hid_t id, herr_t (*close)(hid_t), const std::string& what) : id_(id), close_(close) {
  if (id < 0) fail(what);
}

Hdf5::~Hdf5() {
  if (id_ >= 0) close_(id_);
}

Hdf5& Hdf5::operator=(Hdf5&& other) noexcept {
  std::swap(id_, other.id_);
  std::swap(close_, other.close_);
  return *this;
}

Hdf5 make_group(hid_t parent, const std::string& name) {
  return {H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose,
          "the group '" + name + "' cannot be made"};
}

void write_raw(hid_t parent, const std::string& name, hid_t memory, hid_t file, const void* values,
               const std::vector<hsize_t>& shape, bool compressed) {
  const std::string what = "'" + name + "' cannot be written";
  const Hdf5 space = space_of(shape);
  const Hdf5 options(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, what);
  if (compressed) {
    std::vector<hsize_t> chunk = shape;
    hsize_t row = H5Tget_size(file);
    for (std::size_t i = 1; i < shape.size(); ++i) row *= std::max<hsize_t>(shape[i], 1);
    chunk[0] = std::clamp<hsize_t>(chunk_bytes / row, 1, std::max<hsize_t>(shape[0], 1));
    check(H5Pset_chunk(options.id(), static_cast<int>(chunk.size()), chunk.data()), what);
    check(H5Pset_shuffle(options.id()), what);
    check(H5Pset_deflate(options.id(), 1), what);
  }
  const Hdf5 dataset(H5Dcreate2(parent, name.c_str(), file, space.id(), H5P_DEFAULT, options.id(), H5P_DEFAULT),
                     H5Dclose, what);
  const bool empty = std::find(shape.begin(), shape.end(), hsize_t{0}) != shape.end();
  if (!empty) check(H5Dwrite(dataset.id(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), what);
}

void write_attribute(hid_t object, const std::string& name, const std::string& text) {
  const std::string what = "the attribute '" + name + "' cannot be written";
  const Hdf5 type(H5Tcopy(H5T_C_S1), H5Tclose, what);
  check(H5Tset_size(type.id(), H5T_VARIABLE), what);
  check(H5Tset_cset(type.id(), H5T_CSET_UTF8), what);
  const Hdf5 space(H5Screate(H5S_SCALAR), H5Sclose, what);
  const Hdf5 attribute(H5Acreate2(object, name.c_str(), type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                       what);
  const char* pointer = text.c_str();
  check(H5Awrite(attribute.id(), type.id(), &pointer), what);
}

void write_attribute(hid_t object, const std::string& name, const std::vector<std::uint32_t>& values) {
  const std::string what = "the attribute '" + name + "' cannot be written";
  const Hdf5 space = values.size() == 1 ? Hdf5(H5Screate(H5S_SCALAR), H5Sclose, what) : space_of({values.size()});
  const Hdf5 attribute(H5Acreate2(object, name.c_str(), H5T_STD_U32LE, space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                       what);
  check(H5Awrite(attribute.id(), H5T_NATIVE_UINT32, values.data()), what);
}

void write_enum(hid_t object, const std::string& name, const std::vector<std::string>& names, std::uint8_t value) {
  const std::string what = "the attribute '" + name + "' cannot be written";
  const Hdf5 type(H5Tenum_create(H5T_STD_U8LE), H5Tclose, what);
  for (std::uint8_t i = 0; i < names.size(); ++i) check(H5Tenum_insert(type.id(), names[i].c_str(), &i), what);
  const Hdf5 space(H5Screate(H5S_SCALAR), H5Sclose, what);
  const Hdf5 attribute(H5Acreate2(object, name.c_str(), type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                       what);
  check(H5Awrite(attribute.id(), type.id(), &value), what);
}

Hdf5 open_dataset(hid_t parent, const std::string& name) {
  return {H5Dopen2(parent, name.c_str(), H5P_DEFAULT), H5Dclose, "there is no '" + name + "'"};
}

std::vector<double> read_numbers(hid_t parent, const std::string& name, std::uint64_t most) {
  const std::string what = "'" + name + "' cannot be read";
  const Hdf5 dataset = open_dataset(parent, name);
  const Hdf5 space(H5Dget_space(dataset.id()), H5Sclose, what);
  const Hdf5 type(H5Dget_type(dataset.id()), H5Tclose, what);
  const H5T_class_t kind = H5Tget_class(type.id());
  if (kind != H5T_INTEGER && kind != H5T_FLOAT)
    throw Error(Diagnostic{.code = "hdf5", .message = "'" + name + "' does not hold numbers"});
  const hssize_t size = H5Sget_simple_extent_npoints(space.id());
  if (size < 0) fail(what);
  if (static_cast<std::uint64_t>(size) > most) {
    throw Error(Diagnostic{
        .code = "too-large",
        .message = "'" + name + "' has " + std::to_string(size) + " values, more than " + std::to_string(most)});
  }
  std::vector<double> values(static_cast<std::size_t>(size));
  if (size > 0) check(H5Dread(dataset.id(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), what);
  return values;
}

std::vector<std::string> names_in_group(hid_t group) {
  std::vector<std::string> names;
  check(H5Literate(
            group, H5_INDEX_NAME, H5_ITER_INC, nullptr,
            [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
              static_cast<std::vector<std::string>*>(out)->emplace_back(name);
              return 0;
            },
            &names),
        "a group cannot be listed");
  return names;
}

Status write_hdf5(const fs::path& path, const std::function<void(hid_t file)>& write) {
  be_quiet();
  const fs::path part = temporary_name(path);
  const auto give_up = [&](Diagnostic why) {
    std::error_code ignored;
    fs::remove(part, ignored);
    return in_file(std::move(why), path);
  };
  // The ordinary way of writing files says in its own words what is wrong with the folder.
  if (auto made = write_file_atomically(part, std::string_view{}); !made.ok())
    return give_up(made.diagnostics().front());
  try {
    const Hdf5 file(H5Fcreate(part.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose,
                    "the file cannot be made");
    write(file.id());
    check(H5Fflush(file.id(), H5F_SCOPE_GLOBAL), "the file cannot be written");
  } catch (const Error& error) {
    return give_up(error.diagnostics().front());
  }
  if (const auto synchronised = synchronise(part); !synchronised.ok())
    return give_up(synchronised.diagnostics().front());
  std::error_code error;
  fs::rename(part, path, error);
  if (error) return give_up({.code = "file-unwritable", .message = "cannot be written: " + error.message()});
  return Done{};
}

Status read_hdf5(const fs::path& path, const std::function<void(hid_t file)>& read) {
  be_quiet();
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    return Diagnostic{.code = "file-not-found", .message = "there is no such file", .file = path.string()};
  try {
    const Hdf5 file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, "this is no HDF5 file");
    read(file.id());
    return Done{};
  } catch (const Error& error) {
    return in_file(error.diagnostics().front(), path);
  }
}

}  // namespace bouton::exchange
