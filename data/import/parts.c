#include "data/import/parts.h"

#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

#define SHARD_BYTES ((int64_t)64 << 20)

// Where an episode's name falls in [0,1): it stays there when others come or go.
static double place(const data_import_plan *p, const data_import_item *item) {
  const char *name = p->episodes.v[item->episode].name;
  return (double)(orr_hash64(name, strlen(name), p->o->seed) >> 11) * 0x1p-53;
}

orr_code data_import_split(data_import_plan *p) {
  int64_t lowest = 0, highest = 0, n = 0;
  if (p->o->validation <= 0) return ORR_OK;
  ORR_CHECK(p->count >= 2, ORR_EINVAL,
            "--validation needs two episodes, got one; import it without, or add another");
  for (int64_t i = 0; i < p->count; i++) {
    double at = place(p, &p->items[i]);
    p->items[i].validation = at < p->o->validation;
    n += p->items[i].validation;
    if (at < place(p, &p->items[lowest])) lowest = i;
    if (at >= place(p, &p->items[highest])) highest = i;
  }
  if (n == 0) p->items[lowest].validation = true, n = 1;
  if (n == p->count) p->items[highest].validation = false, n--;
  p->validation_count = n;
  data_import_item *sorted = orr_malloc((size_t)p->count * sizeof *sorted);
  ORR_CHECK(sorted, ORR_ENOMEM, "out of memory: cannot split %" PRId64 " episodes", p->count);
  int64_t at[2] = {0, p->count - n};
  for (int64_t i = 0; i < p->count; i++) sorted[at[p->items[i].validation]++] = p->items[i];
  orr_free(p->items);
  p->items = sorted;
  return ORR_OK;
}

orr_code data_import_cut(data_import_plan *p) {
  int64_t wanted = p->o->shard_frames, frames = 0;
  if (!wanted) wanted = SHARD_BYTES / (p->format->height * p->format->width * 3);
  p->jobs = orr_malloc((size_t)p->count * sizeof *p->jobs);
  ORR_CHECK(p->jobs, ORR_ENOMEM, "out of memory for the shards of %" PRId64 " episodes", p->count);
  for (int64_t i = 0; i < p->count; i++) {
    const data_import_item *item = &p->items[i];
    data_import_job *last = p->job_count ? &p->jobs[p->job_count - 1] : NULL;
    bool same = last && last->validation == item->validation;
    frames += item->timing.frames;
    if (same && frames <= wanted) {
      last->n++;
      continue;
    }
    p->jobs[p->job_count++] = (data_import_job){
        .validation = item->validation, .number = same ? last->number + 1 : 0, .first = i, .n = 1};
    frames = item->timing.frames;
  }
  return ORR_OK;
}
