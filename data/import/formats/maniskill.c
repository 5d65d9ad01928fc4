// ManiSkill's trajectories (trajectory.rgb.*.h5): a group each, one frame more than actions.
// Without pictures they hold the simulator's state only.
#include "data/import/formats.h"
#include "data/import/hdf5.h"
#include "data/shard/h5_dataset.h"
#include "data/import/h5_paths.h"

static bool is_maniskill(const data_import_options *o, hid_t file) {
  return data_h5_paths_any(file, "traj_*/obs") && data_h5_paths_any(file, "traj_*/actions");
}

static const data_import_layout layout = {
    .wants = "/traj_0/actions and /traj_0/obs/sensor_data",
    .episodes = "traj_*",
    .frames = "obs/sensor_data/*/rgb|obs/sensor_data/*/Color|obs/image/*/rgb|obs/rgb",
    .actions = "actions",
    .reward = "rewards",
    .done = "terminated",
    .success = "success",
    .hint = "; replay the trajectories with ManiSkill's replay_trajectory and -o rgb",
    .is = is_maniskill,
};

const data_import_format data_import_maniskill = {
    .name = "maniskill",
    DATA_IMPORT_HDF5(&layout),
    .fps = 20, // its usual control_freq
};
