// Where episodes end in columns that hold many of them: lists of lengths, first rows or ends,
// numbers of episodes, marks of first and last rows, numbers of steps. What says it most plainly is
// taken.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/import/h5_paths.h"
#include "data/import/hdf5.h"
#include "data/shard/h5_storage.h"

// Names by which people call them, as alternatives.
static const char lengths[] = "ep_len|episode_lengths|episode_length|ep_lengths";
static const char offsets[] = "ep_offset|ep_offsets";
static const char ends[] = "episode_ends|meta/episode_ends";
static const char starts[] = "episode_offsets|episode_starts";
static const char indexes[] =
    "episode_idx|episode_index|episode_id|episode_ids|ep_idx|ep_id|episode|"
    "traj_idx|traj_id|trajectory_id|trajectory_index|demo_id|demo_idx";
static const char firsts[] = "is_first|first";
static const char steps[] =
    "step_idx|step_index|step_id|step|timestep|timesteps|frame_index|frame_idx";
static const char *const lasts[] = {"terminated", "truncated",    "done",        "dones",
                                    "terminal",   "terminals",    "timeout",     "timeouts",
                                    "is_last",    "terminations", "truncations", "last"};

// A list of numbers.
typedef struct {
  int64_t *v, n;
} column;

// ORR_OK with v NULL for a dataset that is no list of numbers.
static orr_code column_read(hid_t file, const char *path, const char *name, column *c) {
  data_h5_dataset d;
  orr_code rc = ORR_OK;
  *c = (column){NULL, 0};
  ORR_TRY(data_h5_dataset_open(file, path, name, &d));
  const int64_t n = (int64_t)d.dims[0];
  if ((d.kind != DATA_H5_NUMBERS && d.kind != DATA_H5_BYTES) || n < 1 ||
      data_h5_dataset_row(&d) != 1)
    goto close;
  ORR_TRY_GOTO(data_h5_check_written(file, &d, 0, n), close);
  int64_t *v = orr_malloc((size_t)n * sizeof *v);
  ORR_CHECK_GOTO(v, close, ORR_ENOMEM, "%s: out of memory for the %" PRId64 " rows of %s", path, n,
                 name);
  rc = data_h5_dataset_read(&d, 0, n, H5T_NATIVE_INT64, v);
  if (rc == ORR_OK)
    *c = (column){v, n};
  else
    orr_free(v);
close:
  data_h5_dataset_close(&d);
  return rc;
}

// -- how a list cuts ------------------------------------------------------------------------

// What is known while one file is cut.
typedef struct {
  hid_t file;
  const char *path, *group;
  int64_t rows;
  data_import_cuts *out;
  char *by; // [1024]
} cutter;

static orr_code reserve(cutter *k, int64_t episodes) {
  k->out->n = 0;
  k->out->v = orr_malloc((size_t)(episodes + 1) * sizeof *k->out->v);
  ORR_CHECK(k->out->v, ORR_ENOMEM, "%s: out of memory for %" PRId64 " episodes", k->path, episodes);
  return ORR_OK;
}

static void put(cutter *k, int64_t first, int64_t frames) {
  k->out->v[k->out->n][0] = first;
  k->out->v[k->out->n++][1] = frames;
}

static orr_code cut_by_lengths(cutter *k, const char *name, const column *c) {
  int64_t at = 0;
  ORR_TRY(reserve(k, c->n));
  for (int64_t i = 0; i < c->n; at += c->v[i], i++) {
    ORR_CHECK(c->v[i] >= 0 && c->v[i] <= k->rows - at, ORR_EFORMAT,
              "%s: episode %" PRId64 " has %s %" PRId64 " and begins in row %" PRId64 " of %" PRId64
              " rows",
              k->path, i, name, c->v[i], at, k->rows);
    put(k, at, c->v[i]);
  }
  ORR_CHECK(at == k->rows, ORR_EFORMAT,
            "%s: %s adds up to %" PRId64 ", but there are %" PRId64 " rows", k->path, name, at,
            k->rows);
  return ORR_OK;
}

// Lengths and first rows; there may be rows between the episodes.
static orr_code cut_by_both(cutter *k, const char *length, const column *a, const char *offset,
                            const column *b) {
  ORR_CHECK(a->n == b->n, ORR_EFORMAT,
            "%s: %s has %" PRId64 " entries, %s %" PRId64 "; wanted one an episode in both",
            k->path, length, a->n, offset, b->n);
  ORR_TRY(reserve(k, a->n));
  for (int64_t i = 0; i < a->n; i++) {
    ORR_CHECK(a->v[i] >= 1 && b->v[i] >= 0 && b->v[i] <= k->rows && a->v[i] <= k->rows - b->v[i],
              ORR_EFORMAT,
              "%s: episode %" PRId64 " has %s %" PRId64 " and %s %" PRId64
              ", but there are %" PRId64 " rows",
              k->path, i, offset, b->v[i], length, a->v[i], k->rows);
    put(k, b->v[i], a->v[i]);
  }
  return ORR_OK;
}

// First rows, or ends of the episodes, in rising order.
static orr_code cut_by_places(cutter *k, const char *name, const column *c, bool are_ends) {
  int64_t from = 0, i = are_ends ? 0 : 1;
  ORR_TRY(reserve(k, c->n + 1));
  ORR_CHECK(are_ends || c->v[0] == 0, ORR_EFORMAT, "%s: %s begins with %" PRId64 ", wanted 0",
            k->path, name, c->v[0]);
  for (; i < c->n; from = c->v[i], i++) {
    ORR_CHECK(c->v[i] > from && c->v[i] <= k->rows, ORR_EFORMAT,
              "%s: %s[%" PRId64 "] is %" PRId64 ", wanted numbers that rise, up to the %" PRId64
              " rows",
              k->path, name, i, c->v[i], k->rows);
    put(k, from, c->v[i] - from);
  }
  if (from < k->rows) put(k, from, k->rows - from);
  return ORR_OK;
}

typedef enum { BY_INDEX, BY_FIRST, BY_LAST, BY_STEP } row_rule;

// Whether row i > 0 begins an episode.
static bool begins(row_rule rule, const int64_t *v, int64_t i) {
  switch (rule) {
  case BY_INDEX:
    return v[i] != v[i - 1];
  case BY_FIRST:
    return v[i] != 0;
  case BY_LAST:
    return v[i - 1] != 0;
  case BY_STEP:
    return v[i] <= v[i - 1];
  }
  return false;
}

static orr_code cut_by_rows(cutter *k, const column *c, row_rule rule) {
  int64_t n = 1, from = 0;
  for (int64_t i = 1; i < k->rows; i++) n += begins(rule, c->v, i);
  ORR_TRY(reserve(k, n));
  for (int64_t i = 1; i <= k->rows; i++) {
    if (i < k->rows && !begins(rule, c->v, i)) continue;
    put(k, from, i - from);
    from = i;
  }
  return ORR_OK;
}

// -- what there is --------------------------------------------------------------------------

// Looks for one of some names beside the pictures, then at the root.
static bool find(const cutter *k, const char *alternatives, char name[1024]) {
  return data_h5_paths_first(k->file, k->group, alternatives, name, 1024) ||
         data_h5_paths_first(k->file, "", alternatives, name, 1024);
}

static orr_code try_lengths(cutter *k) {
  char length[1024], offset[1024];
  column a, b = {NULL, 0};
  if (!find(k, lengths, length)) return ORR_OK;
  ORR_TRY(column_read(k->file, k->path, length, &a));
  orr_code rc = ORR_OK;
  if (!a.v || a.n == k->rows) goto release; // a number a row is something else
  if (find(k, offsets, offset)) ORR_TRY_GOTO(column_read(k->file, k->path, offset, &b), release);
  rc = b.v ? cut_by_both(k, length, &a, offset, &b) : cut_by_lengths(k, length, &a);
  snprintf(k->by, 1024, "%s", length);
release:
  orr_free(b.v);
  orr_free(a.v);
  return rc;
}

// The first of some datasets, unless it is cut already; c->v NULL where there is none, or no list.
static orr_code take(const cutter *k, const char *alternatives, char name[1024], column *c) {
  *c = (column){NULL, 0};
  if (k->by[0] || !find(k, alternatives, name)) return ORR_OK;
  return column_read(k->file, k->path, name, c);
}

static orr_code try_places(cutter *k, const char *alternatives, bool are_ends) {
  char name[1024];
  column c;
  ORR_TRY(take(k, alternatives, name, &c));
  if (!c.v) return ORR_OK;
  const orr_code rc = cut_by_places(k, name, &c, are_ends);
  snprintf(k->by, 1024, "%s", name);
  orr_free(c.v);
  return rc;
}

static orr_code try_rows(cutter *k, const char *alternatives, row_rule rule) {
  char name[1024];
  column c;
  orr_code rc = ORR_OK;
  ORR_TRY(take(k, alternatives, name, &c));
  if (c.v && c.n == k->rows) {
    rc = cut_by_rows(k, &c, rule);
    snprintf(k->by, 1024, "%s", name);
  }
  orr_free(c.v);
  return rc;
}

// All marks of last rows together: terminated and truncated are two halves of one.
static orr_code try_lasts(cutter *k) {
  char name[1024];
  column c, all = {NULL, k->rows};
  bool any = false;
  orr_code rc = ORR_OK;
  if (k->by[0]) return ORR_OK;
  all.v = orr_calloc((size_t)k->rows + 1, sizeof *all.v);
  ORR_CHECK(all.v, ORR_ENOMEM, "%s: out of memory for %" PRId64 " rows", k->path, k->rows);
  for (size_t m = 0; m < sizeof lasts / sizeof *lasts; m++) {
    if (!find(k, lasts[m], name)) continue;
    ORR_TRY_GOTO(column_read(k->file, k->path, name, &c), release);
    const bool one_a_row = c.v && c.n == k->rows;
    for (int64_t i = 0; one_a_row && i < k->rows; i++)
      if (c.v[i]) all.v[i] = 1, any = true;
    orr_free(c.v);
    if (one_a_row && !k->by[0] && any) snprintf(k->by, 1024, "%s", name);
  }
  if (any) rc = cut_by_rows(k, &all, BY_LAST);
release:
  orr_free(all.v);
  return rc;
}

// -- what the user named --------------------------------------------------------------------

static bool are_marks(const column *c) {
  for (int64_t i = 0; i < c->n; i++)
    if (c->v[i] != 0 && c->v[i] != 1) return false;
  return true;
}

// Numbers of steps: they rise by one, or begin again.
static bool are_steps(const column *c) {
  for (int64_t i = 1; i < c->n; i++)
    if (c->v[i] != c->v[i - 1] + 1 && c->v[i] > c->v[i - 1]) return false;
  return c->n > 1 && c->v[1] == c->v[0] + 1;
}

static int64_t sum(const column *c) {
  int64_t total = 0;
  for (int64_t i = 0; i < c->n; i++) total += c->v[i] < 0 ? 0 : c->v[i];
  return total;
}

// A dataset of any name: what its values are says how it cuts.
static orr_code cut_by_named(cutter *k, const char *name, const column *c) {
  ORR_CHECK(c->v, ORR_EFORMAT, "%s: %s is no list of numbers, so nothing can be cut by it", k->path,
            name);
  if (c->n == k->rows && are_marks(c))
    return cut_by_rows(k, c, strstr(name, "first") || strstr(name, "start") ? BY_FIRST : BY_LAST);
  if (c->n == k->rows) return cut_by_rows(k, c, are_steps(c) ? BY_STEP : BY_INDEX);
  if (sum(c) == k->rows && c->v[0] != 0) return cut_by_lengths(k, name, c);
  return cut_by_places(k, name, c, c->v[0] != 0);
}

static orr_code try_named(cutter *k, const char *named) {
  char name[1024];
  column c;
  if (!find(k, named, name)) snprintf(name, sizeof name, "/%s", named + (named[0] == '/'));
  ORR_TRY(column_read(k->file, k->path, name, &c));
  orr_code rc = cut_by_named(k, name, &c);
  orr_free(c.v);
  snprintf(k->by, 1024, "%s", name);
  return rc;
}

static orr_code try_all(cutter *k) {
  ORR_TRY(try_lengths(k));
  ORR_TRY(try_places(k, ends, true));
  ORR_TRY(try_places(k, starts, false));
  ORR_TRY(try_rows(k, indexes, BY_INDEX));
  ORR_TRY(try_rows(k, firsts, BY_FIRST));
  ORR_TRY(try_lasts(k));
  return try_rows(k, steps, BY_STEP);
}

orr_code data_import_cut_rows(hid_t file, const char *path, const char *group, const char *named,
                              int64_t rows, data_import_cuts *out, char by[1024]) {
  cutter k = {file, path, group, rows, out, by};
  orr_code rc = ORR_OK;
  *out = (data_import_cuts){NULL, 0};
  by[0] = 0;
  if (named && strcmp(named, "none") != 0)
    rc = try_named(&k, named);
  else if (!named)
    rc = try_all(&k);
  if (rc == ORR_OK && !out->v) {
    rc = reserve(&k, 1);
    if (rc == ORR_OK) put(&k, 0, rows);
  }
  if (rc != ORR_OK) {
    orr_free(out->v);
    out->v = NULL;
  }
  return rc;
}
