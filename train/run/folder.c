#include "train/run/folder.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "checkpoints/root.h"
#include "train/observe/history.h"
#include "train/observe/metrics_table.h"

static orr_code count_lines(const char *run_dir, int64_t *rows) {
  orr_path path;
  train_columns m;
  *rows = 0;
  ORR_TRY(orr_fs_join(path, sizeof path, run_dir, "metrics.jsonl"));
  if (!orr_fs_exists(path)) return ORR_OK;
  ORR_TRY(train_columns_read(path, &m));
  *rows = m.rows;
  train_columns_release(&m);
  return ORR_OK;
}

// Whether the run has had a checkpoint since it began at step 0 the last time.
static orr_code was_saved(const char *run_dir, bool *saved) {
  json_t *lines;
  size_t i;
  json_t *line;
  int64_t bad;
  *saved = false;
  ORR_TRY(train_history_read(run_dir, &lines, &bad));
  json_array_foreach(lines, i, line) {
    const char *event = json_string_value(json_object_get(line, "event"));
    if (!event) continue;
    if (strcmp(event, "start") == 0)
      *saved = json_integer_value(json_object_get(line, "step")) > 0;
    else if (strcmp(event, "saved") == 0)
      *saved = true;
  }
  json_decref(lines);
  return ORR_OK;
}

static orr_code check_place(const char *root, ckpt_root_kind kind) {
  char target[1024] = "";
  if (kind == CKPT_ROOT_DANGLING && readlink(root, target, sizeof target - 1) < 0) target[0] = '\0';
  ORR_CHECK(kind != CKPT_ROOT_DANGLING, ORR_EINVAL,
            "%s is a link to %s, which is not there: make that folder, mount what it lies on, or "
            "remove the link; nothing was changed",
            root, target);
  ORR_CHECK(kind != CKPT_ROOT_FILE, ORR_EINVAL,
            "%s is a file, wanted the folder of the run's checkpoints: move it away; nothing was "
            "changed",
            root);
  return ORR_OK;
}

orr_code train_folder_check(const char *run_dir, const char *resume) {
  orr_path root;
  ckpt_root_kind kind;
  int64_t lines;
  bool saved;
  ORR_TRY(orr_fs_join(root, sizeof root, run_dir, "ckpt"));
  ORR_TRY(ckpt_root_look(root, &kind));
  ORR_TRY(check_place(root, kind));
  if (kind == CKPT_ROOT_FILLED || strcmp(resume, "auto") != 0) return ORR_OK;
  ORR_TRY(count_lines(run_dir, &lines));
  if (lines == 0) return ORR_OK;
  ORR_TRY(was_saved(run_dir, &saved));
  const char *what = kind == CKPT_ROOT_ABSENT ? "is gone"
                     : kind == CKPT_ROOT_LOST ? "has none of them, though its file latest names one"
                     : saved                  ? "is empty, though some were written"
                                              : NULL;
  ORR_CHECK(!what, ORR_EINVAL,
            "%s: metrics.jsonl has %" PRId64
            " steps, but the folder of their checkpoints, %s, %s: put it "
            "back to go on, or begin anew with --resume none, which cuts metrics.jsonl, or in "
            "another run.dir; nothing was changed",
            run_dir, lines, root, what);
  ORR_INFO("%s: no checkpoint was written yet; the %" PRId64
           " steps of metrics.jsonl are trained again",
           run_dir, lines);
  return ORR_OK;
}

orr_code train_folder_try(const char *run_dir, int rank) {
  orr_path root;
  ORR_TRY(orr_fs_join(root, sizeof root, run_dir, "ckpt"));
  return ckpt_root_try(root, rank);
}
