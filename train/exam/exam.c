#include "train/exam/exam.h"

#include "base/log.h"
#include "train/exam/answers.h"
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
    const train_exam_wish w = train_exam_paper_wish(p, (train_exam_kind)kind);
    if (train_exam_paper_asks(p, (train_exam_kind)kind)) ORR_TRY(train_exam_set_make(&w));
  }
  return ORR_OK;
}

orr_code train_exam_make(const train_exam_options *o) {
  return all_papers(o, make, NULL);
}

// -- calibration ----------------------------------------------------------------------------

typedef struct {
  dist_comm *all;
  const train_examinee *e;
  train_exam_answers together;
  train_exam_calibration *out;
} fitting;

train_exam_options train_exam_calibration_options(const train_exam_options *o, int64_t n) {
  train_exam_options c = *o;
  for (int r = 0; r < DATA_PHYSICS_RANGES; r++) c.range[r] = r == DATA_PHYSICS_RANGE_training;
  c.pairs = c.longs = n;
  c.rollouts = c.changes = 0;
  c.strips = NULL;
  c.calibration = NULL;
  c.seed = o->seed + 1000003;
  return c;
}

static orr_code fit(void *ctx, train_exam_paper *p) {
  fitting *f = ctx;
  train_exam_answers one = {0};
  orr_progress(false, "exam: calibration on %s", data_physics_concept_names[p->concept]);
  ORR_TRY(train_exam_paper_write(p, f->all, f->e));
  ORR_TRY(train_exam_answers_add(&f->together, p));
  const orr_code rc = train_exam_answers_add(&one, p);
  if (rc == ORR_OK) {
    f->out->pair[p->concept] = train_exam_scale(one.pair, 2 * one.groups);
    f->out->group[p->concept] = train_exam_scale(one.group, one.groups);
  }
  train_exam_answers_release(&one);
  return rc;
}

orr_code train_exam_calibrate(dist_comm *all, const train_exam_options *o, const train_examinee *e,
                              train_exam_calibration *out) {
  fitting f = {.all = all, .e = e, .out = out};
  *out = (train_exam_calibration){0};
  const orr_code rc = all_papers(o, fit, &f);
  if (rc == ORR_OK) train_exam_fit_wrong(f.together.wrong, f.together.longs, &out->at, &out->slope);
  train_exam_answers_release(&f.together);
  return rc;
}

// -- the exam -------------------------------------------------------------------------------

typedef struct {
  dist_comm *all;
  const train_exam_options *o;
  const train_examinee *e;
  train_exam_answers together[DATA_PHYSICS_RANGES];
  int papers[DATA_PHYSICS_RANGES];
  json_t *out;
} sitting;

static json_t *figures_of(const sitting *s, const char *concept, int range) {
  json_t *ranges = json_object_get(s->out, concept), *figures = json_object();
  if (!ranges) {
    ranges = json_object();
    json_object_set_new(s->out, concept, ranges);
  }
  json_object_set_new(ranges, data_physics_range_names[range], figures);
  return figures;
}

static orr_code mark(sitting *s, const train_exam_paper *p) {
  train_exam_answers one = {0};
  json_t *figures = figures_of(s, data_physics_concept_names[p->concept], p->range);
  ORR_TRY(train_exam_paper_mark(p, figures));
  orr_code rc = train_exam_answers_add(&one, p);
  if (rc == ORR_OK) rc = train_exam_answers_mark(&one, s->o->seed, figures);
  train_exam_answers_release(&one);
  s->papers[p->range]++;
  return rc == ORR_OK ? train_exam_answers_add(&s->together[p->range], p) : rc;
}

static orr_code sit(void *ctx, train_exam_paper *p) {
  sitting *s = ctx;
  orr_progress(false, "exam: %s, %s", data_physics_concept_names[p->concept],
               data_physics_range_names[p->range]);
  ORR_TRY(train_exam_paper_write(p, s->all, s->e));
  ORR_TRY(mark(s, p));
  orr_code rc = ORR_OK;
  if (p->o->strips && (!s->all || dist_comm_rank(s->all) == 0))
    rc = train_exam_paper_show(p, s->e, p->o->strips);
  return s->all ? dist_agree(s->all, rc, "draw a strip") : rc;
}

static orr_code sit_all(sitting *s) {
  ORR_TRY(all_papers(s->o, sit, s));
  for (int r = 0; r < DATA_PHYSICS_RANGES; r++)
    if (s->papers[r] > 1)
      ORR_TRY(train_exam_answers_mark(&s->together[r], s->o->seed, figures_of(s, "all", r)));
  return ORR_OK;
}

orr_code train_exam_run(dist_comm *all, const train_exam_options *o, const train_examinee *e,
                        json_t **out) {
  sitting s = {.all = all, .o = o, .e = e, .out = json_object()};
  ORR_CHECK(s.out, ORR_ENOMEM, "exam: out of memory");
  const orr_code rc = sit_all(&s);
  for (int r = 0; r < DATA_PHYSICS_RANGES; r++) train_exam_answers_release(&s.together[r]);
  if (rc != ORR_OK) {
    json_decref(s.out);
    return rc;
  }
  orr_progress(true, "exam: done");
  *out = s.out;
  return ORR_OK;
}
