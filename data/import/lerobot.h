// LeRobot's data sets: folders of Parquet tables and MP4 videos described by meta/info.json.
// Private to data/.
//
//   version 2  a table and a video an episode: data/chunk-000/episode_000000.parquet,
//              videos/chunk-000/CAMERA/episode_000000.mp4; meta/episodes.jsonl
//   version 3  several episodes a file: data/chunk-000/file-000.parquet,
//              videos/CAMERA/chunk-000/file-000.mp4; meta/episodes/chunk-000/file-000.parquet says
//              which rows and which seconds are whose
//
// Cameras are the features of type video or image; images lie in the tables themselves. A camera is
// called as its feature, or as what follows its last dot. Actions are the feature "action".
// Source: huggingface/lerobot, src/lerobot/datasets.
#ifndef DATA_IMPORT_LEROBOT_H
#define DATA_IMPORT_LEROBOT_H

#include "base/json.h"
#include "data/import/episode.h"

// What meta/info.json says, and where files lie.
typedef struct {
  char *root;       // the folder of the data set, with a slash at its end
  const char *name; // of it below the operand, inside root; "" for the operand itself
  json_t *info;
  int version; // 2 or 3
  double fps;
  int64_t chunk_size;
  const char *data_path, *video_path; // templates; borrowed from info
} data_lerobot;

// Local. Opens the data set at root; ORR_EFORMAT, ORR_EUNSUPPORTED (another version).
orr_code data_lerobot_open(const char *root, size_t below, data_lerobot *out);
void data_lerobot_close(data_lerobot *l);
// Local. A template's path below root into out[size]: {episode_index:06d} and the like.
orr_code data_lerobot_path(const data_lerobot *l, const char *template, int64_t chunk,
                           int64_t number, const char *key, char *out, size_t size);
// Local. The names of a feature's components when there are A, in one block from orr_malloc; NULL
// where it gives others. `table`: a file of the data set, whose meta/info.json is looked for.
char **data_lerobot_names(const char *table, const char *feature, int64_t A);

extern const data_import_source data_import_lerobot_source;

#endif
