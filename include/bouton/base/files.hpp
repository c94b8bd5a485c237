#pragma once
// Whole files in and out, so that a reader never meets half of one.

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "bouton/base/result.hpp"

namespace bouton {

// The bytes of `path`. Refused before memory is taken when the file is larger than `max_bytes`.
// Codes: file-not-found, not-a-file, file-unreadable, file-too-large. Thread safe.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path,
                                            std::size_t max_bytes = std::size_t{1} << 32);

// Writes `bytes` to a temporary name in the same folder, synchronises it with the disk and renames it to `path`:
// readers see the old file or the new one, also after a power cut. On failure nothing is left behind and an existing
// file stays. Codes: folder-not-found, folder-not-writable, disk-full, file-unwritable. Safe across threads and
// processes.
[[nodiscard]] Status write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

// The same for content in parts, written one after the other without being joined in memory.
[[nodiscard]] Status write_file_atomically(const std::filesystem::path& path,
                                           const std::vector<std::string_view>& parts);

// Creates `folder` and its parents where missing. Codes: folder-not-writable, disk-full, not-a-folder.
[[nodiscard]] Status make_folder(const std::filesystem::path& folder);

// Where Bouton keeps what it can obtain or compute again: $BOUTON_CACHE, $XDG_CACHE_HOME/bouton, ~/.cache/bouton,
// or a folder under the system's temporary one for a user without a home. Not created.
[[nodiscard]] std::filesystem::path cache_folder();

// A name beside `path` that no other call, thread or process uses: ".<name>.<process>-<start>-<number>.part".
[[nodiscard]] std::filesystem::path temporary_name(const std::filesystem::path& path);

}  // namespace bouton
