// Imports recordings in the formats that people have as data sets. First every source is looked at
// (frames, actions, cameras, sizes: every fault comes out here, before anything is written), then
// worker processes write whole shards. What is written is a function of the sources and the options
// without `processes`: an import that was killed goes on where it stopped and ends with the same
// bytes.
#ifndef DATA_IMPORT_H
#define DATA_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

// X(name, what it is): a format is one row here and one file in data/import/formats/, which defines
// data_import_NAME. Where several fit, the first one is taken.
#define DATA_IMPORT_FORMATS(X)                                                                     \
  X(map, "HDF5 of any layout, whose datasets --map names")                                         \
  X(act, "HDF5 by ALOHA and ACT: an episode a file")                                               \
  X(robomimic, "robomimic's HDF5: a demo a group")                                                 \
  X(maniskill, "ManiSkill's HDF5: a trajectory a group, with observations as pictures")            \
  X(robotwin, "RoboTwin's HDF5: an episode a file")                                                \
  X(minari, "Minari's main_data.hdf5: an episode a group, with observations as pictures")          \
  X(phyworld, "PhyWorld's HDF5: films as bytes, without actions")                                  \
  X(csgo, "DIAMOND's Counter-Strike: a dataset a frame")                                           \
  X(flat, "HDF5 columns of all episodes, one after the other")                                     \
  X(lerobot, "LeRobot's data sets, versions 2 and 3: Parquet beside videos, or pictures in it")    \
  X(video, "videos with actions in CSV, JSON lines or Parquet")                                    \
  X(vpt, "videos with VPT's JSON lines of keyboard and mouse")                                     \
  X(images, "folders of PNG or JPEG pictures with such a table")

// How the actions of frames that --fps leaves out join the next kept one's.
typedef enum {
  DATA_MERGE_LAST, // commanded positions
  DATA_MERGE_FIRST,
  DATA_MERGE_MEAN, // velocities
  DATA_MERGE_SUM,  // displacements, such as a mouse's
  DATA_MERGE_MAX,  // buttons
} data_merge;

typedef enum { DATA_CHANNELS_AUTO, DATA_CHANNELS_RGB, DATA_CHANNELS_BGR } data_channels;

// A list of words that somebody else owns.
typedef struct {
  const char *const *v;
  int64_t n;
} data_words;

// A column of choices: numbers 0 to n-1, or these words.
typedef struct {
  const char *name;
  int64_t n;
  const char *const *words; // [n], NULL: numbers
} data_one_hot;

// How rows of actions belong to frames.
typedef enum {
  DATA_ALIGN_AUTO, // one a frame where the numbers fit, else by time where times are known
  DATA_ALIGN_ROWS, // one a frame
  DATA_ALIGN_TIME, // by their time stamps
} data_import_align_by;
// Where the parts of a recording lie in an HDF5 file: paths below the group of an episode, in which
// '*' stands for any part of one name, and which are alternatives to each other where there is a
// '|' in between. NULL: as the format has it.
typedef struct {
  const char *episodes; // groups that hold an episode each
  data_words frames;    // datasets of pictures; what '*' stands for names the camera
  const char *reward, *done, *success;
  const char *cut; // dataset that says where the episodes of long columns end; "none": nowhere
} data_import_mapping;

// What --validation takes a share of.
typedef enum {
  DATA_SPLIT_AUTO, // episodes; of one alone its end
  DATA_SPLIT_EPISODES,
  DATA_SPLIT_TIME, // each episode's end
} data_import_split_by;

typedef struct {
  data_words inputs;            // files and folders
  const char *dir;              // of the data set; made when missing
  const char *format;           // a name from DATA_IMPORT_FORMATS, NULL = find out
  data_words cameras;           // one: that one; several: side by side. None: the only one there
  int64_t tile_rows, tile_cols; // of several cameras; 0: one row
  int64_t height, width;        // of a frame; 0: as the source has it
  bool crop_centre;             // cut the middle part of --size's proportions
  int64_t crop[4];              // or: top, left, height, width in source pixels; height 0: no
  int rotate;                   // degrees clockwise: 0, 90, 180 or 270; before the cut
  bool flip_h, flip_v;          // then left and right, top and bottom are swapped
  double fps, source_fps;       // wanted, and of the source; 0: as the source says
  data_import_align_by align;   // of rows of actions to frames
  double action_fps;            // rows of actions a second, at a rate of their own; 0: none
  double time_offset;           // seconds added to the times of rows
  const char *time_column;      // of the rows' time stamps; NULL: one with a usual name
  bool no_actions;              // frames only
  bool sound;                   // of the films as actions; then no_actions, too
  int64_t action_shift;         // actions[t] = recorded[t + shift]
  data_import_mapping map;      // of HDF5 files
  data_words actions;           // datasets or columns; none: the format's usual ones
  data_words action_names;      // none: the source's
  const data_one_hot *one_hot;  // components that are choices
  int64_t one_hot_count;
  bool range_auto;              // map the range found over all episodes to [-1,1]
  const double (*ranges)[2];    // or: these low and high values
  int64_t range_count;          // 0: leave the values; 1: one for all components
  const data_merge *merges;     // NULL: the format's usual ones
  int64_t merge_count;          // 1: one for all components
  data_channels channels;       // order of the source's colours
  double pixel_low, pixel_high; // black and white in pictures of numbers; equal: found out
  const char *mask;             // robomimic's filter key; NULL: all demos
  const char *branch, *source;  // of the data set; source NULL: made from the format
  double validation;            // share of the episodes for dir/validation; 0: no split
  data_import_split_by validation_by;
  double validation_gap; // seconds between the parts of an episode
  uint64_t seed;         // of the split
  int64_t min_frames;    // shorter episodes are left out
  int64_t slack;         // numbers of frames and actions may differ by so many
  bool gzip;             // pack the shards
  int64_t shard_frames;  // about so many frames a shard; 0: about 64 MiB
  int processes;         // that write
  int patience_s;        // of computing, for one file, episode or frame; 0: two minutes
  bool skip_bad;         // leave out recordings that cannot be imported
  // Once for every such recording, left out or not; may be NULL.
  void (*bad)(void *ctx, const char *recording, const char *reason);
  // What the user should know, in a sentence; may be NULL.
  void (*told)(void *ctx, const char *sentence);
  void (*looked)(void *ctx, int64_t episodes);                      // may be NULL
  void (*written)(void *ctx, int64_t frames, int64_t frames_total); // may be NULL
  void *ctx;
} data_import_options;

typedef struct {
  const char *format;
  int64_t episodes, frames; // of the folder, validation included
  int64_t added;            // episodes that this call wrote
  int64_t validation_episodes;
  int64_t too_short; // episodes left out
  int64_t bad;       // recordings left out
  int64_t height, width, A;
  double fps;
  bool finished_before; // an earlier call had done it all
} data_import_report;

// Local. Forks workers: call it before the process has threads. ORR_EINVAL, ORR_EFORMAT and
// ORR_ENOTFOUND name file and field, what was found, and the remedy.
orr_code data_import(const data_import_options *o, data_import_report *report);

// Local. Number i of the format names, NULL past the last.
const char *data_import_format_name(int i);

#endif
