#pragma once
// The Spiking Heidelberg Digits.

#include <filesystem>

#include "bouton/data/recordings.hpp"

namespace bouton::exchange {

// shd_train.h5 and shd_test.h5 in `folder` (Cramer et al. 2022, doi:10.1109/TNNLS.2020.3044364): spikes/times (seconds)
// and spikes/units (0..699) of every sample, and labels (0..19). Becomes counts [bins, 700] of `options.duration`.
// Codes: data-incomplete, hdf5, events-outside, label-out-of-range, shape-mismatch. Thread safe where HDF5 is.
[[nodiscard]] Result<data::ImageData> load_shd(const std::filesystem::path& folder, const data::EventOptions& options);

}  // namespace bouton::exchange
