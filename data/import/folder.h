// The folder of an import's output: one process at a time writes it; what earlier imports left
// there stays, and an import that was interrupted goes on. Private to data/.
//
// While an import is unfinished the folder holds import.json with the plan's key and how far the
// parts went before it. index.json of each part is written last, with
//   "recordings": [{"name", "key", "made",        by episode; key: of the recording, made: also of
//                   "content", "files"}, ..]      the options that decide what becomes of it;
//                                                 content and files: whatever it is called
//                                                 (copies.h)
//   "held_out": [name, ..]                        of the training part: what went to validation
//   "skipped": [{"name", "reason"}, ..]           left out by --skip-bad
//   "import": {..}                                how it was made
#ifndef DATA_IMPORT_FOLDER_H
#define DATA_IMPORT_FOLDER_H

#include <stdbool.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/lock.h"
#include "data/import/import.h"
#include "data/set/index.h"

// A recording that is there already.
typedef struct {
  uint64_t key, made;
  uint64_t content, files; // 0: not known, as of data sets that older versions made
  const char *name;
} data_import_known;

// One part: training, or validation.
typedef struct {
  orr_path dir;
  data_index *index;  // as it was found, or NULL
  int64_t recordings; // of earlier imports
  int64_t next;       // number of its next shard
  orr_lock *lock;     // of a part that is a folder of its own
} data_import_part;

typedef struct {
  const data_import_options *o; // borrowed
  bool made;                    // by this call, and nothing is in it so far
  orr_lock *lock;
  data_import_part parts[2]; // training, validation
  json_t *mark;              // import.json as it was found, or NULL
  data_import_known *known;  // [known_count], by key
  data_import_known *alike;  // [known_count], the same by content
  int64_t known_count;
} data_import_folder;

// Local. Makes the folder where it is missing, takes its lock and reads what is there. ORR_EINVAL
// where another process writes it, where clips of another kind are in it, or where it was split in
// another way. Closed also after a failure.
orr_code data_import_folder_open(const data_import_options *o, data_import_folder *f);
// Local. Removes a folder that was made in vain. Takes one that is zeroed.
void data_import_folder_close(data_import_folder *f);
// Local. What is known of a recording; NULL for a new one.
const data_import_known *data_import_folder_find(const data_import_folder *f, uint64_t key);
// Local. The recordings with this content, whatever they are called: the first of *n.
const data_import_known *data_import_folder_alike(const data_import_folder *f, uint64_t content,
                                                  int64_t *n);
// Local. The index of a part that has clips, training first; NULL in a new folder.
const data_index *data_import_folder_index(const data_import_folder *f);

// Local. Notes that the import with this key has begun; nothing to do where it had. ORR_EINVAL
// where another one has.
orr_code data_import_folder_begin(data_import_folder *f, const char *key);
// Local. Removes import.json and what lies beside shards while they are made.
orr_code data_import_folder_end(data_import_folder *f);

#endif
