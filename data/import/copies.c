// Of recordings with the same first picture, numbers and actions the files themselves are compared:
// still life without actions begins alike, too. data_import_item.content knows the size of the
// files, so that few are.
#include "data/import/copies.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"

// A file whose checksum is known.
typedef struct {
  const char *path; // borrowed
  orr_hash128 hash;
} sum;

typedef struct {
  data_import_plan *p;
  data_import_item **order; // [count]
  sum *sums;
  int64_t n, room;
} copies;

static int by_key(const void *a, const void *b) {
  const data_import_item *const *x = a, *const *y = b;
  if ((*x)->key != (*y)->key) return (*x)->key < (*y)->key ? -1 : 1;
  return (*x)->episode < (*y)->episode ? -1 : (*x)->episode > (*y)->episode;
}

static int by_content(const void *a, const void *b) {
  const data_import_item *const *x = a, *const *y = b;
  if ((*x)->content != (*y)->content) return (*x)->content < (*y)->content ? -1 : 1;
  return (*x)->episode < (*y)->episode ? -1 : (*x)->episode > (*y)->episode;
}

static void sort(copies *c, int (*by)(const void *, const void *)) {
  for (int64_t i = 0; i < c->p->count; i++) c->order[i] = &c->p->items[i];
  if (c->p->count > 1) qsort(c->order, (size_t)c->p->count, sizeof(data_import_item *), by);
}

static const data_import_episode *episode_of(const copies *c, const data_import_item *item) {
  return &c->p->episodes.v[item->episode];
}

static void mark_same_names(copies *c) {
  sort(c, by_key);
  for (int64_t i = 1; i < c->p->count; i++) {
    if (c->order[i]->key != c->order[i - 1]->key) continue;
    data_import_note(&c->p->notes, DATA_NOTE_SAME,
                     "%s: a copy of another recording of this name; it is imported once",
                     episode_of(c, c->order[i])->file);
    c->order[i]->copied = true;
  }
}

// -- files ----------------------------------------------------------------------------------

static orr_code sum_of(copies *c, const char *path, orr_hash128 *out) {
  for (int64_t i = 0; i < c->n; i++) {
    if (strcmp(c->sums[i].path, path) != 0) continue;
    *out = c->sums[i].hash;
    return ORR_OK;
  }
  ORR_TRY(orr_hash_file(path, out, NULL));
  if (c->n == c->room) {
    const int64_t room = c->room ? 2 * c->room : 64;
    sum *grown = orr_realloc(c->sums, (size_t)room * sizeof *grown);
    ORR_CHECK(grown, ORR_ENOMEM, "out of memory for the checksums of %" PRId64 " files", room);
    c->sums = grown;
    c->room = room;
  }
  c->sums[c->n++] = (sum){path, *out};
  return ORR_OK;
}

typedef enum {
  OTHER,
  UNKNOWN, // no file: a dataset inside of one
  SAME_FILE,
  EQUAL,
  FOLDER, // of pictures
} likeness;

static orr_code compare_files(copies *c, const char *a, const char *b, likeness *out) {
  struct stat x, y;
  orr_hash128 hash[2];
  *out = UNKNOWN;
  if (!a || !b || stat(a, &x) != 0 || stat(b, &y) != 0) return ORR_OK;
  *out = FOLDER;
  if (!S_ISREG(x.st_mode) || !S_ISREG(y.st_mode)) return ORR_OK;
  *out = SAME_FILE;
  if (x.st_dev == y.st_dev && x.st_ino == y.st_ino) return ORR_OK;
  *out = OTHER;
  if (x.st_size != y.st_size) return ORR_OK;
  ORR_TRY(sum_of(c, a, &hash[0]));
  ORR_TRY(sum_of(c, b, &hash[1]));
  if (orr_hash_equal(hash[0], hash[1])) *out = EQUAL;
  return ORR_OK;
}

// EQUAL: one was copied from the other. OTHER: they differ, or are two episodes of one file.
// UNKNOWN: not all of them was compared.
static orr_code compare(copies *c, const data_import_episode *a, const data_import_episode *b,
                        likeness *out) {
  likeness one, all = UNKNOWN;
  ORR_TRY(compare_files(c, a->file, b->file, &one));
  *out = OTHER;
  if (one == OTHER || a->camera_count != b->camera_count) return ORR_OK;
  if (one > all) all = one;
  for (int64_t i = 0; i < a->camera_count; i++) {
    ORR_TRY(compare_files(c, a->cameras[i].place, b->cameras[i].place, &one));
    if (one == OTHER) return ORR_OK;
    if (one > all) all = one;
  }
  *out = all == SAME_FILE ? OTHER : all == FOLDER ? UNKNOWN : all;
  return ORR_OK;
}

// -- of earlier imports ---------------------------------------------------------------------

// Reading all of every file a second time would make imports of films half as fast again; the first
// picture, all actions and the sizes are compared, too (data_import_item.content).
static bool hash_some(const char *path, uint64_t *hash) {
  enum { WINDOWS = 3, BYTES = 1 << 16 };
  struct stat s;
  const int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  char *window = orr_malloc(BYTES);
  bool done = fd >= 0 && window && fstat(fd, &s) == 0 && S_ISREG(s.st_mode);
  for (int i = 0; done && i < WINDOWS; i++) {
    const int64_t last = (int64_t)s.st_size > BYTES ? (int64_t)s.st_size - BYTES : 0;
    const ssize_t got = pread(fd, window, BYTES, last * i / (WINDOWS - 1));
    done = got >= 0;
    if (done) *hash = orr_hash64(window, (size_t)got, *hash ^ (uint64_t)s.st_size);
  }
  orr_free(window);
  if (fd >= 0) close(fd);
  return done;
}

// Which part of its file: several recordings may lie in one, as "demo.hdf5:demo_3".
static const char *part_of(const data_import_episode *e) {
  const char *slash = e->file ? strrchr(e->file, '/') : NULL, *base = slash ? slash + 1 : e->file,
             *at = base ? strstr(e->name, base) : NULL;
  return at ? at + strlen(base) : "";
}

uint64_t data_import_copies_files(const data_import_episode *e) {
  const char *part = part_of(e);
  uint64_t hash = orr_hash64(part, strlen(part), 0);
  int files = hash_some(e->file, &hash);
  for (int64_t i = 0; i < e->camera_count; i++) {
    struct stat s;
    const char *place = e->cameras[i].place;
    if (!place || stat(place, &s) != 0) continue; // a dataset of the file above
    if (!hash_some(place, &hash)) return 0;
    files++;
  }
  return files ? hash : 0;
}

// -- other names ----------------------------------------------------------------------------

static orr_code judge(copies *c, data_import_item *item, const data_import_item *before) {
  const data_import_episode *a = episode_of(c, item), *b = episode_of(c, before);
  likeness is = OTHER;
  if (a->format == b->format) ORR_TRY(compare(c, a, b, &is));
  item->copied = is == EQUAL;
  if (is == EQUAL)
    data_import_note(&c->p->notes, DATA_NOTE_COPY, "%s: byte for byte %s; it is imported once",
                     a->name, b->name);
  if (is == UNKNOWN)
    data_import_note(&c->p->notes, DATA_NOTE_ALIKE,
                     "%s: begins like %s, with the same actions; both are imported: take one away "
                     "if it is a copy",
                     a->name, b->name);
  return ORR_OK;
}

static orr_code mark_other_names(copies *c) {
  sort(c, by_content);
  for (int64_t i = 1, first = 0; i < c->p->count; i++) {
    data_import_item *item = c->order[i];
    if (item->content != c->order[first]->content) first = i;
    for (int64_t k = first; k < i && !item->copied; k++)
      if (!c->order[k]->copied) ORR_TRY(judge(c, item, c->order[k]));
  }
  return ORR_OK;
}

orr_code data_import_copies_mark(data_import_plan *p) {
  copies c = {.p = p};
  c.order = orr_malloc((size_t)(p->count + 1) * sizeof(data_import_item *));
  ORR_CHECK(c.order, ORR_ENOMEM, "out of memory to compare %" PRId64 " recordings", p->count);
  mark_same_names(&c);
  const orr_code rc = mark_other_names(&c);
  orr_free(c.sums);
  orr_free(c.order);
  return rc;
}
