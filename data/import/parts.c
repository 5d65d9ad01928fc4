#include "data/import/parts.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

#define SHARD_BYTES ((int64_t)64 << 20)

// Where an episode's name falls in [0,1): it stays there when others come or go.
static double place(const data_import_plan *p, const data_import_item *item) {
  const char *name = p->episodes.v[item->episode].name;
  return (double)(orr_hash64(name, strlen(name), p->o->seed) >> 11) * 0x1p-53;
}

// Training first, each part in the order that it has.
static orr_code sort(data_import_plan *p) {
  data_import_item *sorted = orr_malloc((size_t)p->count * sizeof *sorted);
  ORR_CHECK(sorted, ORR_ENOMEM, "out of memory: cannot split %" PRId64 " episodes", p->count);
  p->validation_count = 0;
  for (int64_t i = 0; i < p->count; i++) p->validation_count += p->items[i].validation;
  int64_t at[2] = {0, p->count - p->validation_count};
  for (int64_t i = 0; i < p->count; i++) sorted[at[p->items[i].validation]++] = p->items[i];
  orr_free(p->items);
  p->items = sorted;
  return ORR_OK;
}

static orr_code split_by_episodes(data_import_plan *p) {
  int64_t lowest = 0, highest = 0, n = 0;
  const bool more = p->folder && p->folder->known_count > 0; // both parts may be there already
  ORR_CHECK(p->count >= 2 || more, ORR_EINVAL,
            "--validation-by episodes needs two episodes, got one; --validation-by time takes the "
            "end of it");
  for (int64_t i = 0; i < p->count; i++) {
    double at = place(p, &p->items[i]);
    p->items[i].validation = at < p->o->validation;
    n += p->items[i].validation;
    if (at < place(p, &p->items[lowest])) lowest = i;
    if (at >= place(p, &p->items[highest])) highest = i;
  }
  if (n == 0 && !more) p->items[lowest].validation = true;
  if (n == p->count && !more) p->items[highest].validation = false;
  return sort(p);
}

// Cuts an episode in two; false where one part would be too short.
static bool cut_end(data_import_plan *p, data_import_item *item, int64_t gap) {
  const data_import_options *o = p->o;
  const int64_t n = item->frames, held = llround(o->validation * (double)n), left = n - held - gap;
  if (held < o->min_frames || left < o->min_frames) return false;
  data_import_item *end = &p->items[p->count++];
  *end = *item;
  end->from = n - held;
  end->frames = held;
  end->validation = true;
  item->frames = left;
  p->frames -= gap;
  return true;
}

static orr_code split_by_time(data_import_plan *p) {
  const data_import_options *o = p->o;
  const int64_t gap = (int64_t)ceil(o->validation_gap * p->format->fps - 1e-9), count = p->count;
  int64_t split = 0;
  data_import_item *v = orr_realloc(p->items, (size_t)(2 * count) * sizeof *v);
  ORR_CHECK(v, ORR_ENOMEM, "out of memory: cannot split %" PRId64 " episodes", count);
  p->items = v;
  for (int64_t i = 0; i < count; i++) split += cut_end(p, &v[i], gap);
  ORR_CHECK(split, ORR_EINVAL,
            "%s: %" PRId64 " frames are too few for two parts of %" PRId64
            " at least with a gap of %" PRId64
            " in between; take another --validation or a shorter --validation-gap",
            p->episodes.v[v[0].episode].name, v[0].frames, o->min_frames, gap);
  data_import_note(&p->notes, DATA_NOTE_SPLIT,
                   "validation: the last %.3g %% of each recording, after a gap of %" PRId64
                   " frames that belongs to neither part%s",
                   100 * o->validation, gap,
                   split < count ? "; recordings that are too short for that are for training"
                                 : "");
  return sort(p);
}

orr_code data_import_split(data_import_plan *p) {
  const data_import_options *o = p->o;
  if (o->validation <= 0) return ORR_OK;
  const bool alone = p->count == 1 && !(p->folder && p->folder->known_count > 0);
  const bool by_time =
      o->validation_by == DATA_SPLIT_TIME || (o->validation_by == DATA_SPLIT_AUTO && alone);
  return by_time ? split_by_time(p) : split_by_episodes(p);
}

orr_code data_import_cut(data_import_plan *p) {
  int64_t wanted = p->o->shard_frames, frames = 0;
  if (!wanted) wanted = SHARD_BYTES / (p->format->height * p->format->width * 3);
  p->jobs = orr_malloc((size_t)(p->count + 1) * sizeof *p->jobs);
  ORR_CHECK(p->jobs, ORR_ENOMEM, "out of memory for the shards of %" PRId64 " episodes", p->count);
  for (int64_t i = 0; i < p->count; i++) {
    const data_import_item *item = &p->items[i];
    data_import_job *last = p->job_count ? &p->jobs[p->job_count - 1] : NULL;
    bool same = last && last->validation == item->validation;
    frames += item->frames;
    if (same && frames <= wanted) {
      last->n++;
      continue;
    }
    const int64_t first = p->folder ? p->folder->parts[item->validation].next : 0;
    p->jobs[p->job_count++] = (data_import_job){.validation = item->validation,
                                                .number = same ? last->number + 1 : first,
                                                .first = i,
                                                .n = 1};
    frames = item->frames;
  }
  return ORR_OK;
}
