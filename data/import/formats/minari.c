// Minari's data sets (main_data.hdf5): a group an episode, one observation more than actions. Those
// of environments without pictures are refused by name.
#include "data/import/formats.h"
#include "data/import/hdf5.h"
#include "data/shard/h5_dataset.h"
#include "data/import/h5_paths.h"

static bool is_minari(const data_import_options *o, hid_t file) {
  return data_h5_paths_any(file, "episode_*/observations") &&
         data_h5_paths_any(file, "episode_*/actions");
}

static const data_import_layout layout = {
    .wants = "/episode_0/observations and /episode_0/actions",
    .episodes = "episode_*",
    .frames = "observations|observations/*|observations/*/*",
    .actions = "actions",
    .reward = "rewards",
    .done = "terminations",
    .success = "infos/success",
    .is = is_minari,
};

const data_import_format data_import_minari = {
    .name = "minari",
    DATA_IMPORT_HDF5(&layout),
};
