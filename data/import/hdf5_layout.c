// Episodes and cameras of an HDF5 file, by the paths of its layout.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/import/h5_paths.h"
#include "data/import/hdf5.h"
#include "data/import/picture_form.h"
#include "data/import/sources.h"
#include "data/shard/h5_storage.h"

orr_code data_import_layout_add(const data_import_h5 *h, const char *name, const char *group,
                                data_import_episode **out) {
  const data_import_path path = {.path = (char *)(uintptr_t)h->path, .name = h->name};
  ORR_TRY(data_import_list_add(h->search->list, h->format, name, h->path, out));
  char *copy = orr_strdup(group), *root = data_import_path_root(&path);
  orr_free((*out)->group);
  (*out)->group = copy;
  (*out)->root = root;
  if (h->format->layout->fps) (*out)->fps = h->format->layout->fps(h->file, h->path);
  ORR_CHECK(copy && root, ORR_ENOMEM, "%s: out of memory: cannot list it", h->path);
  return ORR_OK;
}

// -- cameras --------------------------------------------------------------------------------

// Datasets that may be cameras.
typedef struct {
  data_h5_paths paths;
  int *ranks; // [paths.n]: how likely it is one (data/import/picture_form.h); 4: nobody can look
} choice;

static void choice_release(choice *c) {
  data_h5_paths_release(&c->paths);
  orr_free(c->ranks);
}

// How likely a path leads to a camera. A link that leads nowhere may have been one.
static orr_code rank_of(const data_import_h5 *h, const char *path, int *rank) {
  data_h5_dataset d;
  *rank = 0;
  if (data_h5_is_group(h->file, path)) return ORR_OK;
  orr_code rc = data_h5_dataset_open(h->file, h->path, path, &d);
  if (rc == ORR_ENOMEM) return rc;
  if (rc == ORR_OK) {
    const data_picture_form f = data_picture_form_of(&d);
    *rank = data_picture_form_rank(&f);
    data_h5_dataset_close(&d);
  } else if (H5Lexists(h->file, path, H5P_DEFAULT) > 0) {
    *rank = 4;
  }
  orr_status_clear();
  H5Eclear2(H5E_DEFAULT);
  return ORR_OK;
}

static orr_code find_paths(const data_import_h5 *h, const data_import_episode *e, choice *c) {
  const data_words *given = &h->search->o->map.frames;
  char pattern[1024];
  for (int64_t i = 0; i < given->n; i++)
    ORR_TRY(data_h5_paths_find(h->file, h->path, e->group, given->v[i], &c->paths));
  for (const char *at = given->n ? "" : h->format->layout->frames; *at;) {
    const size_t n = strcspn(at, "|");
    snprintf(pattern, sizeof pattern, "%.*s", (int)n, at);
    ORR_TRY(data_h5_paths_find(h->file, h->path, e->group, pattern, &c->paths));
    at += n + (at[n] == '|');
  }
  return ORR_OK;
}

// Adds a camera that is wanted, whatever it holds.
static orr_code add_camera(const data_import_h5 *h, data_import_episode *e, const data_h5_path *p) {
  data_h5_dataset d;
  char words[256];
  ORR_TRY(data_h5_dataset_open(h->file, h->path, p->path, &d));
  const data_picture_form f = data_picture_form_of(&d);
  const int64_t frames = (int64_t)d.dims[0];
  data_h5_dataset_describe(&d, words, sizeof words);
  data_h5_dataset_close(&d);
  ORR_CHECK(f.kind != DATA_FORM_NONE, ORR_EFORMAT,
            "%s: %s holds %s, which are no pictures: wanted [frames,height,width,3] (or 1, 4, or "
            "channels first), or JPEG or PNG as bytes",
            h->path, p->path, words);
  ORR_CHECK(!e->camera_count || e->frames == frames, ORR_EFORMAT,
            "%s: %s has %" PRId64 " frames, but %s has %" PRId64
            "; cameras side by side have as many",
            h->path, p->path, frames, e->cameras[0].place, e->frames);
  e->frames = frames;
  return data_import_add_camera(e, p->name, p->path);
}

static orr_code rank_all(const data_import_h5 *h, choice *c) {
  c->ranks = orr_calloc((size_t)c->paths.n + 1, sizeof *c->ranks);
  ORR_CHECK(c->ranks, ORR_ENOMEM, "%s: out of memory: cannot list its cameras", h->path);
  for (int64_t i = 0; i < c->paths.n; i++) ORR_TRY(rank_of(h, c->paths.v[i].path, &c->ranks[i]));
  return ORR_OK;
}

// "a, b, c": the names of all paths of at least this rank.
static void join(const choice *c, int least, char *out, size_t size) {
  size_t at = 0;
  snprintf(out, size, "none");
  for (int64_t i = 0; i < c->paths.n && at < size; i++)
    if (c->ranks[i] >= least)
      at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", c->paths.v[i].name);
}

// What a file holds in place of pictures.
static orr_code fail_no_pictures(const data_import_h5 *h, const data_import_episode *e,
                                 const choice *c) {
  const data_words *given = &h->search->o->map.frames;
  const char *pattern = given->n ? given->v[0] : h->format->layout->frames;
  char list[900] = "", words[256], group[1024];
  size_t at = 0;
  data_h5_dataset d;
  snprintf(group, sizeof group, "%s/%.*s", e->group, (int)strcspn(pattern, "*|"), pattern);
  ORR_TRY(data_h5_check_links(h->file, h->path, group));
  for (int64_t i = 0; i < c->paths.n && at < sizeof list; i++) {
    if (data_h5_dataset_open(h->file, h->path, c->paths.v[i].path, &d) != ORR_OK) continue;
    data_h5_dataset_describe(&d, words, sizeof words);
    data_h5_dataset_close(&d);
    at += (size_t)snprintf(list + at, sizeof list - at, "%s%s: %s", at ? "; " : "",
                           c->paths.v[i].path, words);
  }
  H5Eclear2(H5E_DEFAULT);
  return ORR_FAIL(
      ORR_EFORMAT,
      "%s: no pictures in %s/%s%s%s; wanted [frames,height,width,3] (or 1, 4, or channels "
      "first), or JPEG or PNG as bytes; --map frames=PATH names others%s",
      h->path, e->group, pattern, list[0] ? ", where there is " : "", list,
      h->format->layout->hint ? h->format->layout->hint : "");
}

// Without --camera: the only one that may be a camera; paths without '*' are meant as they stand.
static orr_code choose(const data_import_h5 *h, data_import_episode *e, choice *c) {
  const data_words *given = &h->search->o->map.frames;
  bool stars = given->n == 0;
  int best = 0;
  int64_t only = -1, n = 0;
  char list[512];
  for (int64_t i = 0; i < given->n; i++) stars |= strchr(given->v[i], '*') != NULL;
  for (int64_t i = 0; !stars && i < c->paths.n; i++) ORR_TRY(add_camera(h, e, &c->paths.v[i]));
  if (!stars) return ORR_OK;
  ORR_TRY(rank_all(h, c));
  for (int64_t i = 0; i < c->paths.n; i++)
    if (c->ranks[i] < 4 && c->ranks[i] > best) best = c->ranks[i];
  for (int64_t i = 0; i < c->paths.n; i++)
    if (c->ranks[i] == 4 || (best && c->ranks[i] == best)) only = i, n++;
  if (n == 0) return fail_no_pictures(h, e, c);
  if (n == 1) return add_camera(h, e, &c->paths.v[only]);
  join(c, best ? best : 4, list, sizeof list);
  return ORR_FAIL(
      ORR_EINVAL,
      "%s: several cameras: %s; choose one with --camera NAME, or put some side by side "
      "with --camera NAME,NAME",
      e->name, list);
}

// With --camera: those and no others.
static orr_code take_wanted(const data_import_h5 *h, data_import_episode *e, choice *c,
                            const char *wanted) {
  char list[512];
  for (int64_t i = 0; i < c->paths.n; i++)
    if (strcmp(c->paths.v[i].name, wanted) == 0 &&
        H5Lexists(h->file, c->paths.v[i].path, H5P_DEFAULT) > 0)
      return add_camera(h, e, &c->paths.v[i]);
  ORR_TRY(rank_all(h, c));
  join(c, 1, list, sizeof list);
  return ORR_FAIL(ORR_ENOTFOUND, "%s: no camera %s; there are: %s", e->name, wanted, list);
}

orr_code data_import_layout_cameras(const data_import_h5 *h, data_import_episode *e) {
  const data_words *wanted = &h->search->o->cameras;
  choice c = {.ranks = NULL};
  orr_code rc = find_paths(h, e, &c);
  for (int64_t i = 0; rc == ORR_OK && i < wanted->n; i++) rc = take_wanted(h, e, &c, wanted->v[i]);
  if (rc == ORR_OK && !wanted->n) rc = choose(h, e, &c);
  choice_release(&c);
  return rc;
}

// -- episodes -------------------------------------------------------------------------------

static const char *episodes_of(const data_import_h5 *h) {
  const char *given = h->search->o->map.episodes;
  return given ? given : h->format->layout->episodes;
}

// A group without anything in it is an episode without steps.
static bool is_empty(const data_import_h5 *h, const char *group) {
  H5G_info_t info;
  return H5Gget_info_by_name(h->file, group, &info, H5P_DEFAULT) >= 0 && info.nlinks == 0;
}

static orr_code add_group(const data_import_h5 *h, const data_h5_path *p, const char *name) {
  data_import_episode *e;
  if (data_h5_is_group(h->file, p->path) && is_empty(h, p->path)) {
    h->search->too_short++;
    return ORR_OK;
  }
  ORR_TRY(data_import_layout_add(h, name, p->path, &e));
  ORR_TRY(data_h5_check_links(h->file, h->path, p->path));
  return data_import_layout_cameras(h, e);
}

static orr_code list_groups(const data_import_h5 *h, bool (*keep)(void *ctx, const char *name),
                            void *ctx) {
  data_import_search *s = h->search;
  data_h5_paths groups = {0};
  int64_t kept = 0;
  orr_code rc = data_h5_paths_find(h->file, h->path, "", episodes_of(h), &groups);
  for (int64_t i = 0; rc == ORR_OK && i < groups.n; i++) {
    const data_h5_path *p = &groups.v[i];
    const int64_t before = s->list->n;
    char name[4400];
    if (keep && !keep(ctx, p->starred)) continue;
    kept++;
    snprintf(name, sizeof name, "%s:%s", h->name, p->starred);
    rc = add_group(h, p, name);
    if (rc != ORR_OK) data_import_list_cut(s->list, before);
    rc = data_import_faults_take(s->faults, name, h->path, rc);
  }
  data_h5_paths_release(&groups);
  ORR_TRY(rc);
  ORR_CHECK(kept, ORR_EFORMAT, "%s: no group %s%s%s; wanted an episode in each", h->path,
            episodes_of(h), keep ? " of /mask/" : "", keep ? s->o->mask : "");
  return ORR_OK;
}

// The group in which an episode's first camera lies: what belongs to its rows lies beside it.
static void beside(const data_import_episode *e, char group[1024]) {
  snprintf(group, 1024, "%s", e->cameras[0].place);
  char *slash = strrchr(group, '/');
  if (slash) slash[slash == group] = 0;
}

static orr_code add_part(const data_import_h5 *h, const data_import_episode *all, int64_t number,
                         int64_t first, int64_t rows) {
  char name[4400];
  data_import_episode *e;
  snprintf(name, sizeof name, "%s:%" PRId64, h->name, number);
  ORR_TRY(data_import_layout_add(h, name, all->group, &e));
  for (int64_t c = 0; c < all->camera_count; c++)
    ORR_TRY(data_import_add_camera(e, all->cameras[c].name, all->cameras[c].place));
  e->first = first;
  e->frames = e->rows = rows;
  return ORR_OK;
}

// The rows of a whole file as episodes: `all` moves to its list where it is one.
static orr_code add_parts(const data_import_h5 *h, const data_import_episode *all,
                          const data_import_cuts *cuts) {
  for (int64_t i = 0; i < cuts->n; i++) ORR_TRY(add_part(h, all, i, cuts->v[i][0], cuts->v[i][1]));
  return ORR_OK;
}

// A file without groups of episodes: one, or as many as what lies beside the pictures says.
static orr_code list_rows(const data_import_h5 *h) {
  const data_import_options *o = h->search->o;
  const bool columns = h->format->layout->columns;
  data_import_list *list = h->search->list;
  const int64_t before = list->n;
  data_import_cuts cuts = {.v = NULL};
  data_import_episode *e, all;
  char group[1024], by[1024] = "";
  orr_code rc = ORR_OK;
  ORR_TRY(data_import_layout_add(h, h->name, "", &e));
  ORR_TRY(data_import_layout_cameras(h, e));
  beside(e, group);
  ORR_TRY(data_import_cut_rows(h->file, h->path, group, o->map.cut, e->frames, &cuts, by));
  if (columns && !by[0] && !o->map.cut && h->search->uncut++ == 0)
    snprintf(h->search->first_uncut, sizeof h->search->first_uncut, "%s", h->path);
  if (cuts.n <= 1 && !columns) goto done;
  all = list->v[before]; // taken out of the list: its parts come instead
  list->n = before;
  rc = add_parts(h, &all, &cuts);
  data_import_episode_release(&all);
done:
  orr_free(cuts.v);
  return rc;
}

orr_code data_import_layout_list(const data_import_h5 *h, bool (*keep)(void *ctx, const char *name),
                                 void *ctx) {
  return episodes_of(h) ? list_groups(h, keep, ctx) : list_rows(h);
}
