#include "train/exam/exam.h"

#include "base/log.h"
#include "train/exam/paper.h"

// Calls `each` for the papers that are asked for.
typedef orr_code (*for_paper)(void *ctx, train_exam_paper *p);
static orr_code all_papers(const train_exam_options *o, for_paper each, void *ctx) {
  for (int c = 0; c < DATA_PHYSICS_CONCEPTS; c++)
    for (int r = 0; r < DATA_PHYSICS_RANGES; r++) {
      train_exam_paper p;
      if (!o->concept[c] || !o->range[r]) continue;
      ORR_TRY(train_exam_paper_create(o, (data_physics_concept)c, (data_physics_range)r, &p));
      const orr_code rc = each(ctx, &p);
      train_exam_paper_release(&p);
      ORR_TRY(rc);
    }
  return ORR_OK;
}

static orr_code make(void *ctx, train_exam_paper *p) {
  orr_progress(false, "exam: worlds of %s, %s", data_physics_concept_names[p->concept],
               data_physics_range_names[p->range]);
  for (int kind = 0; kind < TRAIN_EXAM_KIND_COUNT; kind++) {
    const bool links = kind == TRAIN_EXAM_agree || kind == TRAIN_EXAM_flip;
    if ((links && !p->link[0]) || (kind == TRAIN_EXAM_changes && p->changes == 0)) continue;
    const train_exam_wish w = train_exam_paper_wish(p, (train_exam_kind)kind);
    ORR_TRY(train_exam_set_make(&w));
  }
  return ORR_OK;
}

orr_code train_exam_make(const train_exam_options *o) {
  return all_papers(o, make, NULL);
}

typedef struct {
  dist_comm *all;
  const train_examinee *e;
  json_t *out;
} sitting;

static orr_code sit(void *ctx, train_exam_paper *p) {
  sitting *s = ctx;
  json_t *figures = NULL;
  const char *concept = data_physics_concept_names[p->concept],
             *range = data_physics_range_names[p->range];
  orr_progress(false, "exam: %s, %s", concept, range);
  ORR_TRY(train_exam_paper_write(p, s->all, s->e));
  ORR_TRY(train_exam_paper_mark(p, &figures));
  json_t *ranges = json_object_get(s->out, concept);
  if (!ranges) {
    ranges = json_object();
    json_object_set_new(s->out, concept, ranges);
  }
  json_object_set_new(ranges, range, figures);
  orr_code rc = ORR_OK;
  if (p->o->strips && (!s->all || dist_comm_rank(s->all) == 0))
    rc = train_exam_paper_show(p, s->e, p->o->strips);
  return s->all ? dist_agree(s->all, rc, "draw a strip") : rc;
}

orr_code train_exam_run(dist_comm *all, const train_exam_options *o, const train_examinee *e,
                        json_t **out) {
  sitting s = {.all = all, .e = e, .out = json_object()};
  ORR_CHECK(s.out, ORR_ENOMEM, "exam: out of memory");
  const orr_code rc = all_papers(o, sit, &s);
  if (rc != ORR_OK) {
    json_decref(s.out);
    return rc;
  }
  orr_progress(true, "exam: done");
  *out = s.out;
  return ORR_OK;
}
