// RoboTwin's episodes: one a file, JPEGs as text of fixed length. The rate is a choice of the
// task's configuration and is not recorded.
#include "data/import/formats.h"
#include "data/import/hdf5.h"
#include "data/shard/h5_dataset.h"

static bool is_robotwin(const data_import_options *o, hid_t file) {
  return data_h5_is_group(file, "/observation") && data_h5_is_group(file, "/joint_action");
}

static const data_import_layout layout = {
    .wants = "/observation/CAMERA/rgb and /joint_action/vector",
    .frames = "observation/*/rgb",
    .actions = "joint_action/vector",
    .is = is_robotwin,
};

const data_import_format data_import_robotwin = {
    .name = "robotwin",
    DATA_IMPORT_HDF5(&layout),
};
