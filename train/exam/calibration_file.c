#include "train/exam/calibration_file.h"

#include "base/fs.h"
#include "base/json.h"

static bool has_all(const train_exam_options *o, const train_exam_calibration *c) {
  for (int i = 0; i < DATA_PHYSICS_CONCEPTS; i++)
    if (o->concept[i] && !(c->pair[i] > 0 && c->group[i] > 0)) return false;
  return true;
}

// *found: the file is of this key. One of another is written over, not an error.
static orr_code read_file(const char *file, const json_t *key, const train_exam_options *o,
                          train_exam_calibration *out, int64_t *found) {
  json_t *j = NULL;
  *found = 0;
  if (!orr_fs_exists(file)) return ORR_OK;
  ORR_TRY(orr_json_load(file, &j));
  orr_code rc = ORR_OK;
  if (json_equal(json_object_get(j, "of"), key)) {
    rc = train_exam_calibration_read(file, j, out);
    *found = rc == ORR_OK && has_all(o, out);
  }
  json_decref(j);
  return rc;
}

static orr_code write_file(const char *file, const json_t *key, const train_exam_calibration *c) {
  json_t *j = train_exam_calibration_json(c);
  ORR_CHECK(j, ORR_ENOMEM, "%s: out of memory", file);
  json_object_set(j, "of", (json_t *)(uintptr_t)key);
  const orr_code rc = orr_json_store(file, j);
  json_decref(j);
  return rc;
}

orr_code train_exam_calibration_find(dist_comm *all, const char *file, const json_t *key,
                                     const train_exam_options *o, const train_examinee *e,
                                     train_exam_calibration *out) {
  int64_t found = 0;
  ORR_TRY(dist_agree(all, read_file(file, key, o, out, &found), "read a calibration"));
  ORR_TRY(dist_all_reduce(all, &found, 1, DIST_I64, DIST_MIN));
  if (found) return ORR_OK;
  ORR_TRY(train_exam_calibrate(all, o, e, out));
  const orr_code rc = dist_comm_rank(all) == 0 ? write_file(file, key, out) : ORR_OK;
  return dist_agree(all, rc, "write a calibration");
}
