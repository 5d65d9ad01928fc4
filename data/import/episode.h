// What an import knows of each recorded episode, and how a format is read. Private to data/.
#ifndef DATA_IMPORT_EPISODE_H
#define DATA_IMPORT_EPISODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/import/faults.h"
#include "data/import/frame_times.h"
#include "data/import/import.h"
#include "data/import/paths.h"
#include "data/pictures/picture.h"
#include "base/workers.h"

// One camera's pictures of one episode, read in rising order.
typedef struct data_import_stream data_import_stream;
struct data_import_stream {
  // Picture number `frame` of the episode, valid until the next call.
  orr_code (*read)(data_import_stream *s, int64_t frame, data_picture *out);
  // Widens low .. high to the values of that picture, before it is known which of them are black
  // and white. NULL for pictures of bytes.
  orr_code (*range)(data_import_stream *s, int64_t frame, double *low, double *high);
  void (*close)(data_import_stream *s);
};

typedef struct {
  char *name;  // of the camera, as --camera wants it
  char *place; // dataset in the file, or path of a video
  double from; // seconds of the video at which the episode begins
} data_import_camera;

typedef struct data_import_format data_import_format;
typedef struct data_import_source data_import_source;

// All strings belong to the episode.
typedef struct {
  const data_import_format *format;
  char *name;  // below the operand: "run1/episode_3.hdf5", "demo.hdf5:demo_3"; keys the split
  char *file;  // HDF5 file, or the table of actions
  char *group; // of HDF5's paths below; "" at the root
  struct data_import_referred *referred; // is told of those files; borrowed, may be NULL
  char *root; // the operand's folder, inside which `file` may refer to other files; NULL: to none
  data_import_camera *cameras;
  int64_t camera_count;
  int64_t first;  // row of the datasets where the episode begins
  int64_t rows;   // of the datasets that are its own; 0: all from `first` on
  int64_t frames; // pictures
  // Black and white in pictures that are made of numbers; equal while they are not known.
  double pixel_low, pixel_high;
  double fps;            // 0: the source does not say
  double *times;         // [frames] seconds, of frames that do not come steadily; NULL: steady
  data_frame_times when; // what is known of them
  double epoch;          // when the first frame was taken, on the clock of time stamps; 0: unknown
  uint64_t bytes;        // of the files that it is read from
} data_import_episode;

typedef struct {
  data_import_episode *v;
  int64_t n, room;
} data_import_list;

// Recorded actions of an episode.
typedef struct {
  int64_t rows, A;  // A 0: there are none, and were said to be
  float *v;         // [rows,A]
  char **names;     // [A] in one block; NULL: the source has none
  double *times;    // [rows] time stamps; NULL: none
  char *time_name;  // where they come from
  double time_unit; // seconds; 0: unknown
  // What came of them, where it was recorded.
  float *reward; // [rows], or NULL
  float *done;   // [rows], not 0: the episode ended with this action; or NULL
  int success;   // 1 or 0; -1: not recorded
} data_import_actions;

struct data_import_format {
  const char *name;
  const data_import_source *source;
  const struct data_import_layout *layout; // of HDF5 files (data/import/hdf5.h); NULL for others
  double fps;                              // usual frames a second, 0: the user must say
  data_channels channels;                  // usual order of colours
  // How component i of A is merged unless the user says otherwise.
  data_merge (*merge)(int64_t i, int64_t A);
  // Reads what was recorded, unchecked. The caller releases it.
  orr_code (*actions)(const data_import_options *o, const data_import_episode *e,
                      data_import_actions *out);
  // Opens the pictures of one camera; the caller calls its close.
  orr_code (*open)(const data_import_episode *e, int64_t camera, data_import_stream **out);
};

// What a source works with while it lists recordings.
typedef struct {
  const data_import_options *o;
  orr_board *board;                  // for data_import_note_reading; may be NULL
  const data_import_faults *crashed; // files that took a process down; may be NULL
  const data_import_paths *paths;    // without those
  int64_t shards;                    // files passed over because Orrery wrote them
  int64_t too_short;                 // episodes passed over because they hold nothing
  int64_t uncut;                     // files of columns in which nothing says where an episode ends
  char first_uncut[512];
  data_import_list *list;                // gets the episodes
  data_import_faults *faults;            // gets the recordings that cannot be used
  struct data_import_referred *referred; // gets the files that recordings refer to
} data_import_search;

// Where the recordings of one or several formats come from: HDF5 files, videos with tables, ...
struct data_import_source {
  const char *words; // "HDF5 file", for messages
  // *first: a path that shows it. Opens no file.
  data_import_claim (*claim)(const data_import_paths *paths, const char **first);
  // Adds the episodes of all paths in their order, those of o->format where it is given. A
  // recording that cannot be used goes to the faults, and the others are listed nevertheless.
  orr_code (*list)(data_import_search *s);
};

// Local. Adds an episode and returns it to be filled, its strings from orr_strdup; ORR_ENOMEM.
orr_code data_import_list_add(data_import_list *list, const data_import_format *format,
                              const char *name, const char *file, data_import_episode **out);
// Local. Frees what an episode holds that is in no list.
void data_import_episode_release(data_import_episode *e);
// Local. Takes the episodes from number n on out of the list.
void data_import_list_cut(data_import_list *list, int64_t n);
// Local. Adds a camera to an episode; both strings are copied.
orr_code data_import_add_camera(data_import_episode *e, const char *name, const char *place);
// Local. Frees what the list holds, and zeroes it.
void data_import_list_release(data_import_list *list);
// Local. The actions of an episode: those of its format, none where o->no_actions, choices spread
// by o->one_hot. The caller releases them.
orr_code data_import_actions_read(const data_import_options *o, const data_import_episode *e,
                                  data_import_actions *out);
// Local. Frees what the actions hold, and zeroes them.
void data_import_actions_release(data_import_actions *a);
// Local. A format's `merge` where the last position wins: components stay commanded until the next
// command.
data_merge data_import_merge_last(int64_t i, int64_t A);

#endif
