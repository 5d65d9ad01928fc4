// Folders of numbered pictures (PNG or JPEG): a folder is the camera of a recording, its pictures
// in the natural order of their names. Its table of actions has the folder's name and lies beside
// it, or is the only one in it, or the only one in the folder above; folders with one table of the
// last kind in common are the cameras of one recording. Names that are time stamps
// ("1305031102.175304.png") say when pictures were taken.
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/natural.h"
#include "data/import/formats.h"
#include "data/import/sources.h"
#include "data/import/video.h"
#include "data/pictures/packed.h"

// -- one folder -----------------------------------------------------------------------------

typedef struct {
  char **v; // names
  int64_t n, room;
} names;

static void names_release(names *list) {
  for (int64_t i = 0; i < list->n; i++) orr_free(list->v[i]);
  orr_free(list->v);
  *list = (names){0};
}

static orr_code add_name(names *list, const char *dir, const char *name) {
  if (list->n == list->room) {
    int64_t room = list->room ? 2 * list->room : 256;
    char **v = orr_realloc(list->v, (size_t)room * sizeof *v);
    ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory to list its pictures", dir);
    list->v = v;
    list->room = room;
  }
  list->v[list->n] = orr_strdup(name);
  ORR_CHECK(list->v[list->n], ORR_ENOMEM, "%s: out of memory to list its pictures", dir);
  list->n++;
  return ORR_OK;
}

// The pictures of a folder in natural order. The caller releases them, also after an error.
static orr_code list_pictures(const char *dir, names *list) {
  orr_code rc = ORR_OK;
  DIR *d = opendir(dir);
  ORR_CHECK(d, ORR_EIO, "%s: cannot list this folder: %s", dir, strerror(errno));
  for (const struct dirent *entry; (entry = readdir(d));) {
    if (entry->d_name[0] == '.' || data_import_path_kind(entry->d_name) != DATA_PATH_PICTURE)
      continue;
    ORR_TRY_GOTO(add_name(list, dir, entry->d_name), close_dir);
  }
  if (list->n > 1) qsort(list->v, (size_t)list->n, sizeof *list->v, orr_natural_compare_names);
close_dir:
  closedir(d);
  return rc;
}

// The time that a name tells, in seconds; false for a mere number. Seconds have a fraction; whole
// numbers of 12 digits and more are milliseconds, microseconds or nanoseconds.
static bool time_of_name(const char *name, double *seconds) {
  char *end;
  const size_t whole = strspn(name, "0123456789");
  const bool fraction = name[whole] == '.' && isdigit((unsigned char)name[whole + 1]);
  *seconds = strtod(name, &end);
  if (!whole || *end != '.') return false;
  if (fraction) return true;
  *seconds *= whole >= 18 ? 1e-9 : whole >= 15 ? 1e-6 : 1e-3;
  return whole >= 12;
}

// When the pictures were taken, where their names say it.
static orr_code look_at_times(const names *list, data_import_episode *e) {
  double *times = orr_malloc((size_t)list->n * sizeof *times);
  ORR_CHECK(times, ORR_ENOMEM, "%s: out of memory to look at it", e->name);
  bool told = list->n > 1;
  for (int64_t i = 0; i < list->n && told; i++)
    told = time_of_name(list->v[i], &times[i]) && (!i || times[i] > times[i - 1]);
  if (!told) {
    orr_free(times);
    return ORR_OK;
  }
  e->epoch = times[0];
  for (int64_t i = 0; i < list->n; i++) times[i] -= e->epoch;
  orr_code rc = data_frame_times_look(times, list->n, 0, &e->when);
  e->fps = e->when.fps;
  if (rc != ORR_OK || e->when.steady)
    orr_free(times);
  else
    e->times = times;
  return rc;
}

// -- listing --------------------------------------------------------------------------------

static size_t folder_length(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) : 0;
}

static size_t stem_end(const char *path) {
  const char *dot = strrchr(path, '.');
  return dot ? (size_t)(dot - path) : strlen(path);
}

static bool is_table(const data_import_path *p) {
  return p->kind == DATA_PATH_TABLE || p->kind == DATA_PATH_PARQUET;
}

// The only table whose path begins with `folder`[n] and lies in it; NULL without one, or with
// several.
static const data_import_path *only_table(const data_import_paths *paths, const char *folder,
                                          size_t n) {
  const data_import_path *found = NULL;
  for (int64_t i = 0; i < paths->n; i++) {
    const data_import_path *p = &paths->v[i];
    if (!is_table(p) || folder_length(p->path) != n || strncmp(p->path, folder, n) != 0) continue;
    if (found) return NULL;
    found = p;
  }
  return found;
}

// The table of a folder of pictures. *shared: other folders may have the same.
static const data_import_path *find_table(const data_import_paths *paths, const char *folder,
                                          bool *shared) {
  const size_t n = strlen(folder);
  *shared = false;
  for (int64_t i = 0; i < paths->n; i++)
    if (is_table(&paths->v[i]) && stem_end(paths->v[i].path) == n &&
        strncmp(paths->v[i].path, folder, n) == 0)
      return &paths->v[i];
  const data_import_path *inside = only_table(paths, folder, n);
  if (inside) return inside;
  *shared = true;
  return folder_length(folder) ? only_table(paths, folder, folder_length(folder)) : NULL;
}

// The recording of this table, if one is listed already.
static data_import_episode *find_episode(data_import_list *list, const data_import_path *table) {
  for (int64_t i = list->n - 1; i >= 0; i--)
    if (strcmp(list->v[i].file, table->path) == 0) return &list->v[i];
  return NULL;
}

static orr_code look(data_import_episode *e, const char *folder) {
  names list = {0};
  orr_code rc = list_pictures(folder, &list);
  if (rc == ORR_OK)
    rc = e->camera_count == 1 || list.n == e->frames
             ? ORR_OK
             : ORR_FAIL(ORR_EFORMAT,
                        "%s: %" PRId64 " pictures, but %s has %" PRId64
                        "; the cameras of a recording have as many",
                        folder, list.n, e->cameras[0].place, e->frames);
  if (rc == ORR_OK && e->camera_count == 1) {
    e->frames = list.n;
    rc = look_at_times(&list, e);
  }
  names_release(&list);
  return rc;
}

static orr_code add_folder(data_import_search *s, const data_import_path *first) {
  char *folder = orr_format("%.*s", (int)folder_length(first->path), first->path);
  ORR_CHECK(folder, ORR_ENOMEM, "%s: out of memory to list it", first->path);
  const size_t below = (size_t)(first->name - first->path), n = strlen(folder);
  const char *slash = strrchr(folder, '/'), *last = slash ? slash + 1 : folder;
  const char *name = n > below ? folder + below : last;
  bool shared = false;
  const data_import_path *table = s->o->no_actions ? NULL : find_table(s->paths, folder, &shared);
  data_import_episode *e = table && shared ? find_episode(s->list, table) : NULL;
  const int64_t before = s->list->n;
  orr_code rc = ORR_OK;
  data_import_note_reading(s->o, s->board, folder);
  if (!table && !s->o->no_actions)
    rc = ORR_FAIL(ORR_ENOTFOUND,
                  "%s: no actions: no %s.csv, .jsonl or .parquet beside it, no table in it or in "
                  "the folder above; --no-actions imports the pictures alone",
                  folder, last);
  if (rc == ORR_OK && !e)
    rc = data_import_list_add(s->list, &data_import_images, name, table ? table->path : first->path,
                              &e);
  if (rc == ORR_OK) rc = data_import_add_camera(e, last, folder);
  if (rc == ORR_OK) rc = look(e, folder);
  if (rc != ORR_OK) {
    data_import_list_cut(s->list, before);
    rc = data_import_faults_take(s->faults, name, folder, rc);
  }
  orr_free(folder);
  return rc;
}

static bool same_folder(const data_import_path *a, const data_import_path *b) {
  const size_t n = folder_length(a->path);
  return n == folder_length(b->path) && strncmp(a->path, b->path, n) == 0;
}

// Whether a folder is reached through a link while it lies below the operand, too.
static bool is_again(const data_import_paths *paths, const data_import_path *p) {
  orr_path folder, real, other;
  if (!data_import_path_is_linked(p)) return false;
  snprintf(folder, sizeof folder, "%.*s", (int)folder_length(p->path), p->path);
  if (!realpath(folder, real)) return false;
  const data_import_path *last = p;
  for (int64_t i = 0; i < paths->n; i++) {
    const data_import_path *q = &paths->v[i];
    if (q->kind != DATA_PATH_PICTURE || same_folder(q, last) || same_folder(q, p)) continue;
    last = q;
    snprintf(folder, sizeof folder, "%.*s", (int)folder_length(q->path), q->path);
    if (realpath(folder, other) && strcmp(real, other) == 0 &&
        (!data_import_path_is_linked(q) || q < p))
      return true;
  }
  return false;
}

static orr_code list_folders(data_import_search *s) {
  const data_import_path *last = NULL;
  int64_t again = 0;
  for (int64_t i = 0; i < s->paths->n; i++) {
    const data_import_path *p = &s->paths->v[i];
    if (p->kind != DATA_PATH_PICTURE || (last && same_folder(p, last))) continue;
    last = p;
    if (is_again(s->paths, p)) {
      again++;
      continue;
    }
    ORR_TRY(add_folder(s, p));
  }
  if (again)
    data_import_tell(s->o, s->board,
                     "%" PRId64
                     " folders of pictures are reached through links, too; each is taken "
                     "once",
                     again);
  return ORR_OK;
}

// Pictures lie beside recordings of all kinds.
static data_import_claim claim(const data_import_paths *paths, const char **first) {
  return data_import_paths_claim(paths, DATA_PATH_PICTURE, first) == DATA_CLAIM_NONE
             ? DATA_CLAIM_NONE
             : DATA_CLAIM_REST;
}

static const data_import_source source = {
    .words = "folder of pictures (.png, .jpg)",
    .claim = claim,
    .list = list_folders,
};

// -- reading --------------------------------------------------------------------------------

typedef struct {
  data_import_stream base;
  const char *folder; // borrowed
  names list;
  data_packed *packed;
  char *bytes; // of the picture at hand
} images;

static orr_code images_read(data_import_stream *s, int64_t frame, data_picture *out) {
  images *m = (images *)s; // its first member
  orr_path path;
  size_t size = 0;
  ORR_CHECK(frame < m->list.n, ORR_EFORMAT,
            "%s: has changed since the import began; start it again", m->folder);
  ORR_TRY(orr_fs_join(path, sizeof path, m->folder, m->list.v[frame]));
  orr_free(m->bytes);
  m->bytes = NULL;
  ORR_TRY(orr_fs_read_all(path, &m->bytes, &size));
  return data_packed_decode(m->packed, path, (const uint8_t *)m->bytes, size, out);
}

static void images_close(data_import_stream *s) {
  images *m = (images *)s;
  names_release(&m->list);
  data_packed_destroy(m->packed);
  orr_free(m->bytes);
  orr_free(m);
}

static orr_code images_open(const data_import_episode *e, int64_t camera,
                            data_import_stream **out) {
  images *m = orr_calloc(1, sizeof *m);
  ORR_CHECK(m, ORR_ENOMEM, "%s: out of memory to read it", e->name);
  *m = (images){.base = {.read = images_read, .close = images_close},
                .folder = e->cameras[camera].place};
  orr_code rc = list_pictures(m->folder, &m->list);
  if (rc == ORR_OK) rc = data_packed_create(&m->packed);
  if (rc == ORR_OK)
    *out = &m->base;
  else
    images_close(&m->base);
  return rc;
}

const data_import_format data_import_images = {
    .name = "images",
    .source = &source,
    .channels = DATA_CHANNELS_RGB,
    .merge = data_import_merge_last,
    .actions = data_import_table_read,
    .open = images_open,
};
