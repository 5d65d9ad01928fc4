#include "train/run/holding.h"

#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "dist/launch.h"

orr_code train_holding_take(train_holding *f, const cfg *c) {
  ORR_TRY(orr_fs_mkdirs(c->run.dir));
  ORR_TRY(train_lease_take(&(train_lease_options){.dir = c->run.dir,
                                                  .job = dist_job_number(),
                                                  .beat_s = TRAIN_LEASE_BEAT_S},
                           &f->lease));
  orr_fs_sweep(c->run.dir, NULL);
  return ORR_OK;
}

orr_code train_holding_held(train_holding *f) {
  const orr_code rc = f->lease ? train_lease_held(f->lease) : ORR_OK;
  if (rc == ORR_EBUSY) atomic_store(&f->outage.left, true);
  return rc;
}

static bool holds(const char *path, const char *text) {
  char *now = NULL;
  size_t bytes;
  if (!orr_fs_exists(path)) return false;
  const bool same = orr_fs_read_all(path, &now, &bytes) == ORR_OK && strcmp(now, text) == 0;
  orr_free(now);
  return same;
}

// What is there already needs no room.
static orr_code write_words(const cfg *c, const char *text) {
  orr_path path;
  ORR_TRY(orr_fs_join(path, sizeof path, c->run.dir, "config.yaml"));
  return holds(path, text) ? ORR_OK : orr_fs_write_atomic(path, text, strlen(text));
}

orr_code train_holding_write_config(train_holding *f, const cfg *c, const char *text) {
  const orr_code rc = write_words(c, text);
  if (rc != ORR_EFULL) return rc;
  ORR_WARN("%s; training goes on, it is written at its end", orr_status_message());
  f->config = text;
  return ORR_OK;
}

void train_holding_leave(train_holding *f, const cfg *c) {
  if (f->config && !atomic_load(&f->outage.left) && write_words(c, f->config) != ORR_OK)
    ORR_WARN("%s", orr_status_message());
  train_lease_release(f->lease);
  f->lease = NULL;
}
