// Recordings in HDF5: which layout a file has, its episodes, their actions. Private to data/.
//
//   act        /action [T,A], /observations/images/CAMERA: u8 [T,H,W,3], or JPEGs as rows of bytes
//              [T,longest] or as sequences [T]; one episode a file (ALOHA, ACT)
//   robomimic  /data/demo_K/actions [T,A], /data/demo_K/obs/CAMERA_image u8 [T,H,W,3],
//              /mask/KEY: names of demos
//   csgo       /frame_I_x u8 [H,W,3] (blue first), /frame_I_y [A]; one episode a file (DIAMOND)
//   flat       /pixels u8 [N,H,W,3] or [N,3,H,W], /action [N,A], /ep_len, /ep_offset [E]
#ifndef DATA_IMPORT_HDF5_H
#define DATA_IMPORT_HDF5_H

#include <hdf5.h>
#include <stdbool.h>

#include "data/import/episode.h"
#include "data/shard/h5.h"

// How HDF5 files of one format are laid out: what data_import_format's `layout` points to.
struct data_import_layout {
  const char *wants;     // what a file of this layout holds, for messages
  const char *usual;     // dataset of actions below an episode's group
  bool rows_are_columns; // of all episodes of the file: an episode is a range of them
  // Whether an open file is of this layout. HDF5's lock held, here and below.
  bool (*is)(hid_t file);
  orr_code (*list)(const data_import_options *o, hid_t file, const char *path, const char *name,
                   data_import_list *list);
};
typedef struct data_import_layout data_import_layout;

// The source of all layouts: HDF5 files, each of the first layout in DATA_IMPORT_FORMATS that fits.
extern const data_import_source data_import_hdf5_source;

// Local. Opens a recording for reading; close it with H5Fclose. `fault` outlives the file. HDF5's
// lock held.
orr_code data_import_hdf5_open(const char *path, const data_h5_others *others, data_h5_fault *fault,
                               hid_t *file);
// Local. Files that an episode's file may refer to. The episode outlives them.
data_h5_others data_import_hdf5_others(const data_import_episode *e);
// Local. A data_import_format's `actions` for layouts with one row a frame in datasets.
orr_code data_import_hdf5_actions(const data_import_options *o, const data_import_episode *e,
                                  data_import_actions *out);
// Local. A data_import_format's `open` for pictures in a dataset, one row a frame.
orr_code data_import_rows_open(const data_import_episode *e, int64_t camera,
                               data_import_stream **out);
// Local. The same for one dataset a frame, whose name holds %lld in the camera's place.
orr_code data_import_numbered_open(const data_import_episode *e, int64_t camera,
                                   data_import_stream **out);
// Local. Adds every dataset of `group` that holds pictures as a camera; *frames: their number, the
// same for all of them. HDF5's lock held. ORR_EFORMAT without any.
orr_code data_import_hdf5_cameras(hid_t file, const char *group, data_import_episode *e);
// Local. Replaces the group of an episode. ORR_ENOMEM.
orr_code data_import_set_group(data_import_episode *e, const char *group);

#endif
