#include "data/import/episode.h"

#include <inttypes.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/import/one_hot.h"
#include "data/import/sound.h"

orr_code data_import_list_add(data_import_list *list, const data_import_format *format,
                              const char *name, const char *file, data_import_episode **out) {
  if (list->n == list->room) {
    int64_t room = list->room ? 2 * list->room : 64;
    data_import_episode *v = orr_realloc(list->v, (size_t)room * sizeof *v);
    ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory: cannot list %" PRId64 " episodes", file, room);
    list->v = v;
    list->room = room;
  }
  data_import_episode *e = &list->v[list->n];
  *e = (data_import_episode){.format = format,
                             .name = orr_strdup(name),
                             .file = orr_strdup(file),
                             .group = orr_strdup("")};
  list->n++;
  ORR_CHECK(e->name && e->file && e->group, ORR_ENOMEM, "%s: out of memory: cannot list it", file);
  *out = e;
  return orr_fs_size(file, &e->bytes);
}

orr_code data_import_add_camera(data_import_episode *e, const char *name, const char *place) {
  data_import_camera *v =
      orr_realloc(e->cameras, (size_t)(e->camera_count + 1) * sizeof *e->cameras);
  ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory: cannot list its cameras", e->file);
  e->cameras = v;
  data_import_camera *c = &v[e->camera_count++];
  *c = (data_import_camera){.name = orr_strdup(name), .place = orr_strdup(place)};
  ORR_CHECK(c->name && c->place, ORR_ENOMEM, "%s: out of memory: cannot list its cameras", e->file);
  return ORR_OK;
}

void data_import_episode_release(data_import_episode *e) {
  for (int64_t c = 0; c < e->camera_count; c++) {
    orr_free(e->cameras[c].name);
    orr_free(e->cameras[c].place);
  }
  orr_free(e->cameras);
  orr_free(e->times);
  orr_free(e->root);
  orr_free(e->group);
  orr_free(e->file);
  orr_free(e->name);
}

void data_import_list_cut(data_import_list *list, int64_t n) {
  for (int64_t i = n; i < list->n; i++) data_import_episode_release(&list->v[i]);
  if (n < list->n) list->n = n;
}

void data_import_list_release(data_import_list *list) {
  data_import_list_cut(list, 0);
  orr_free(list->v);
  *list = (data_import_list){0};
}

orr_code data_import_actions_read(const data_import_options *o, const data_import_episode *e,
                                  data_import_actions *out) {
  *out = (data_import_actions){.rows = e->frames, .success = -1};
  if (o->sound) return data_import_sound_read(o, e, out);
  if (o->no_actions) return ORR_OK;
  ORR_TRY(e->format->actions(o, e, out));
  orr_code rc = data_import_one_hot(o, e, out);
  if (rc != ORR_OK) data_import_actions_release(out);
  return rc;
}

void data_import_actions_release(data_import_actions *a) {
  orr_free(a->time_name);
  orr_free(a->times);
  orr_free(a->done);
  orr_free(a->reward);
  orr_free(a->names);
  orr_free(a->v);
  *a = (data_import_actions){0};
}

data_merge data_import_merge_last(int64_t i, int64_t A) {
  return DATA_MERGE_LAST;
}
