// Recordings in HDF5: how the files of a format are laid out, and what all layouts share. Private
// to data/.
#ifndef DATA_IMPORT_HDF5_H
#define DATA_IMPORT_HDF5_H

#include <hdf5.h>
#include <stdbool.h>

#include "data/import/episode.h"
#include "data/shard/h5.h"
#include "data/shard/h5_dataset.h"

// An open file while its episodes are listed. HDF5's lock held.
typedef struct {
  data_import_search *search;
  const data_import_format *format;
  hid_t file;
  const char *path, *name; // name: below the operand
} data_import_h5;

// How HDF5 files of one format are laid out: what data_import_format's `layout` points to. Paths
// are as in data_import_mapping (data/import/import.h), whose members replace them.
typedef struct data_import_layout {
  const char *wants; // what a file of this layout holds, for messages
  const char *episodes, *frames, *actions, *reward, *done, *success;
  const char *hint; // what follows the message that there are no pictures: "; ..."; or NULL
  bool columns; // may hold many episodes, one after the other: where nothing says so, it is told
  // Whether an open file is of this layout. HDF5's lock held, here and below.
  bool (*is)(const data_import_options *o, hid_t file);
  double (*fps)(hid_t file, const char *path); // that the file says, 0 where it does not; or NULL
  // Lists the episodes of a file in another way than by the paths; or NULL.
  orr_code (*list)(const data_import_h5 *h);
} data_import_layout;

// What the formats of HDF5 files have in common: members of a data_import_format beside its name.
#define DATA_IMPORT_HDF5(layout_of)                                                                \
  .source = &data_import_hdf5_source, .layout = (layout_of), .channels = DATA_CHANNELS_RGB,        \
  .merge = data_import_merge_last, .actions = data_import_hdf5_actions,                            \
  .open = data_import_rows_open

// The source of all layouts: HDF5 files, each of the first layout in DATA_IMPORT_FORMATS that fits.
extern const data_import_source data_import_hdf5_source;

// Local. Opens a recording for reading. `fault` outlives the file. HDF5's lock held.
orr_code data_import_hdf5_open(const char *path, const data_h5_others *others, data_h5_fault *fault,
                               hid_t *file);
// Local. Closes it. Returns rc or, where all went well so far, what the disk refused meanwhile: a
// dataset that could not be read must not pass for one that is not there.
orr_code data_import_hdf5_close(hid_t file, const data_h5_fault *fault, orr_code rc);
// Local. Files that an episode's file may refer to. The episode outlives them.
data_h5_others data_import_hdf5_others(const data_import_episode *e);

// Local. Lists the episodes of a file by the paths of its layout; those whose name `keep` refuses
// (NULL: none) are passed over. An episode that cannot be used goes to the faults.
orr_code data_import_layout_list(const data_import_h5 *h, bool (*keep)(void *ctx, const char *name),
                                 void *ctx);
// Local. Adds an episode to the list of a file, with its group and the files it may refer to.
orr_code data_import_layout_add(const data_import_h5 *h, const char *name, const char *group,
                                data_import_episode **out);
// Local. Adds the cameras that are asked for, or the only one there is, and e->frames. ORR_EFORMAT
// and ORR_ENOTFOUND say what there is instead; ORR_EINVAL where several would do.
orr_code data_import_layout_cameras(const data_import_h5 *h, data_import_episode *e);

// Where an episode ends in columns of many, found in what lies beside them.
typedef struct {
  int64_t (*v)[2]; // [n]: first row and number of rows of each episode
  int64_t n;
} data_import_cuts;
// Local. Cuts `rows` rows of datasets in `group`; `named`: o->map.cut. *by: the dataset that says
// so, NULL where there is none (then one episode). ORR_EFORMAT names a dataset that cannot be
// right. orr_free(out->v).
orr_code data_import_cut_rows(hid_t file, const char *path, const char *group, const char *named,
                              int64_t rows, data_import_cuts *out, char by[1024]);

// Local. A data_import_format's `actions` for layouts with one row a frame in datasets.
orr_code data_import_hdf5_actions(const data_import_options *o, const data_import_episode *e,
                                  data_import_actions *out);
// Local. A data_import_format's `open` for pictures in a dataset, one row a frame.
orr_code data_import_rows_open(const data_import_episode *e, int64_t camera,
                               data_import_stream **out);
// Local. The same for one dataset a frame, whose name holds %lld in the camera's place.
orr_code data_import_numbered_open(const data_import_episode *e, int64_t camera,
                                   data_import_stream **out);

#endif
