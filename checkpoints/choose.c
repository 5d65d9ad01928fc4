// Which checkpoint a path means: a folder that is named, the latest good one of a root, an exported
// file.
#include <inttypes.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "checkpoints/reader.h"
#include "checkpoints/root.h"

static orr_code open_whole(const char *root, const ckpt_candidate *c, ckpt_reader **out) {
  orr_path path;
  ORR_TRY(orr_fs_join(path, sizeof(path), root, c->name.s));
  ORR_TRY(ckpt_reader_open(path, out));
  orr_code rc = ckpt_verify(*out);
  if (rc != ORR_OK) ckpt_close(*out);
  return rc;
}

// The message has the file and the system's words already.
static orr_code refuse_unreadable(const char *root, const ckpt_candidate *c) {
  char why[ORR_STATUS_MESSAGE_MAX];
  orr_status_copy(why, sizeof why);
  return ORR_FAIL(
      ORR_EACCESS,
      "checkpoint %s in %s may not be read by this user, which is no damage: %s (chmod, "
      "chown), or name another checkpoint",
      c->name.s, root, why);
}

// The first candidate that is whole. Out of memory is no damage: going back further would not help.
// Nor is want of permission: a run that went on from an older one would in time replace this one.
static orr_code open_root(const char *root, const ckpt_candidate *list, int count,
                          ckpt_reader **out) {
  for (int i = 0; i < count; i++) {
    orr_code rc = open_whole(root, &list[i], out);
    if (rc == ORR_OK || rc == ORR_ENOMEM) return rc;
    if (rc == ORR_EACCESS) return refuse_unreadable(root, &list[i]);
    ORR_WARN("checkpoint %s is damaged and not used: %s", list[i].name.s, orr_status_message());
  }
  return ORR_FAIL(
      ORR_ECORRUPT,
      "%s: none of its %d checkpoints is whole (see above); move the folder away to start anew",
      root, count);
}

// Keeps the candidates whose step is at most `most`, in their order.
static int keep_until(ckpt_candidate *list, int count, int64_t most) {
  int n = 0;
  for (int i = 0; i < count; i++)
    if (list[i].step <= most) list[n++] = list[i];
  return n;
}

orr_code ckpt_open_until(const char *path, int64_t most, ckpt_reader **out) {
  orr_path inner;
  ckpt_candidate *list = NULL;
  int count = 0;
  ORR_TRY(orr_fs_join(inner, sizeof(inner), path, "ckpt"));
  const char *root = orr_fs_is_dir(inner) ? inner : path; // a run's folder means its ckpt/
  ORR_TRY(ckpt_root_candidates(root, &list, &count));
  count = keep_until(list, count, most);
  orr_code rc =
      count > 0 ? open_root(root, list, count, out)
                : ORR_FAIL(ORR_ENOTFOUND,
                           "%s: no checkpoint here: no manifest.json and no step-* folder", root);
  orr_free(list);
  return rc;
}

orr_code ckpt_open(const char *path, ckpt_reader **out) {
  orr_path manifest;
  ORR_TRY(orr_fs_join(manifest, sizeof(manifest), path, "manifest.json"));
  return orr_fs_exists(manifest) ? ckpt_reader_open(path, out)
                                 : ckpt_open_until(path, INT64_MAX, out);
}

orr_code ckpt_open_weights(const char *path, ckpt_reader **out) {
  return orr_fs_exists(path) && !orr_fs_is_dir(path) ? ckpt_reader_open(path, out)
                                                     : ckpt_open(path, out);
}
