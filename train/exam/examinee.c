// Examinees without a model.
#include "train/exam/examinee.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "data/sim/scene.h"

static int64_t bytes_of(const train_exam_set *s) {
  return s->height * s->width * 3;
}

// Frame t of clip i's film.
static uint8_t *film_at(const train_exam_clip *c, int64_t i, int64_t t, uint8_t *predicted) {
  return predicted + (i * c->set->T + t) * bytes_of(c->set);
}

static double squared(const uint8_t *a, const uint8_t *b, int64_t n) {
  int64_t sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return (double)sum;
}

// Without a model nobody is ever unsure.
static void never_unsure(double *nats, int64_t n) {
  if (nats) memset(nats, 0, (size_t)(n * TRAIN_EXAM_MOST) * sizeof *nats);
}

// Who predicts frames is surprised by how far they are off.
typedef orr_code (*predicting)(void *ctx, const train_exam_clip *clip, int64_t n, uint8_t *film,
                               double *nats);
static orr_code surprise_by(predicting predict, void *ctx, const train_exam_clip *clip, int64_t n,
                            double *nats) {
  const train_exam_set *s = clip->set;
  uint8_t *film = orr_malloc((size_t)(s->T * bytes_of(s)));
  ORR_CHECK(film, ORR_ENOMEM, "exam: out of memory for a film");
  orr_code rc = ORR_OK;
  memset(nats, 0, (size_t)(n * TRAIN_EXAM_MOST) * sizeof *nats);
  for (int64_t i = 0; i < n && rc == ORR_OK; i++) {
    rc = predict(ctx, &clip[i], 1, film, NULL);
    for (int64_t t = clip[i].given; t < s->T && rc == ORR_OK; t++)
      nats[i * TRAIN_EXAM_MOST + t] =
          squared(film + t * bytes_of(s), train_exam_frame(s, clip[i].episode, t), bytes_of(s));
  }
  orr_free(film);
  return rc;
}

// -- the last frame, held -------------------------------------------------------------------

static orr_code copy_predict(void *ctx, const train_exam_clip *clip, int64_t n, uint8_t *film,
                             double *nats) {
  never_unsure(nats, n);
  for (int64_t i = 0; i < n; i++)
    for (int64_t t = clip[i].given; t < clip[i].set->T; t++)
      memcpy(film_at(&clip[i], i, t, film),
             train_exam_frame(clip[i].set, clip[i].episode, clip[i].given - 1),
             (size_t)bytes_of(clip[i].set));
  return ORR_OK;
}

static orr_code copy_surprise(void *ctx, const train_exam_clip *clip, int64_t n, double *nats) {
  return surprise_by(copy_predict, ctx, clip, n, nats);
}

orr_code train_examinee_copy(train_examinee *out) {
  *out = (train_examinee){.name = "copy", .predict = copy_predict, .surprise = copy_surprise};
  return ORR_OK;
}

// -- sees no past ---------------------------------------------------------------------------

static orr_code blind_predict(void *ctx, const train_exam_clip *clip, int64_t n, uint8_t *film,
                              double *nats) {
  never_unsure(nats, n);
  for (int64_t i = 0; i < n; i++)
    for (int64_t t = clip[i].given; t < clip[i].set->T; t++)
      memset(film_at(&clip[i], i, t, film), 127, (size_t)bytes_of(clip[i].set));
  return ORR_OK;
}

// Some fixed opinion of every ending, whatever it may follow.
static orr_code blind_surprise(void *ctx, const train_exam_clip *clip, int64_t n, double *nats) {
  memset(nats, 0, (size_t)(n * TRAIN_EXAM_MOST) * sizeof *nats);
  for (int64_t i = 0; i < n; i++) {
    const train_exam_set *s = clip[i].set;
    for (int64_t t = clip[i].given; t < s->T; t++) // whole numbers, whose sums are exact
      nats[i * TRAIN_EXAM_MOST + t] =
          (double)(orr_hash64(train_exam_frame(s, clip[i].episode, t), (size_t)bytes_of(s), 1) >>
                   20);
  }
  return ORR_OK;
}

orr_code train_examinee_blind(train_examinee *out) {
  *out = (train_examinee){.name = "blind", .predict = blind_predict, .surprise = blind_surprise};
  return ORR_OK;
}

// -- appearance -----------------------------------------------------------------------------

// Of a picture, the difference that is noticed: how edges fall between pixels is beneath it.
#define NOTICED 0.025
enum { SHADES = 6, BINS = SHADES * SHADES * SHADES };

static void count_colours(const train_exam_set *s, int64_t episode, int64_t from, int64_t to,
                          double *bins) {
  memset(bins, 0, BINS * sizeof *bins);
  const double one = 1.0 / (double)((to - from) * s->height * s->width);
  for (int64_t t = from; t < to; t++) {
    const uint8_t *p = train_exam_frame(s, episode, t);
    for (int64_t i = 0; i < s->height * s->width; i++, p += 3)
      bins[(p[0] * SHADES / 256 * SHADES + p[1] * SHADES / 256) * SHADES + p[2] * SHADES / 256] +=
          one;
  }
}

// How far the ending's colours are from those of all frames before: a judgement of the ending as a
// whole, which stands at its first frame.
static orr_code looks_surprise(void *ctx, const train_exam_clip *clip, int64_t n, double *nats) {
  double before[BINS], after[BINS];
  memset(nats, 0, (size_t)(n * TRAIN_EXAM_MOST) * sizeof *nats);
  for (int64_t i = 0; i < n; i++) {
    double far = 0;
    count_colours(clip[i].set, clip[i].episode, 0, clip[i].given, before);
    count_colours(clip[i].set, clip[i].episode, clip[i].given, clip[i].set->T, after);
    for (int b = 0; b < BINS; b++) far += fabs(before[b] - after[b]);
    nats[i * TRAIN_EXAM_MOST + clip[i].given] = round(far / NOTICED);
  }
  return ORR_OK;
}

orr_code train_examinee_looks(train_examinee *out) {
  *out = (train_examinee){.name = "looks", .predict = copy_predict, .surprise = looks_surprise};
  return ORR_OK;
}

// -- the simulator --------------------------------------------------------------------------

typedef struct {
  data_physics_choice choice; // of the worlds that the scene plays
  int64_t height, width;
  void *scene; // NULL: none yet
} oracle;

static bool same_choice(const data_physics_choice *a, const data_physics_choice *b) {
  return a->concept == b->concept && a->range == b->range && a->pairs == b->pairs &&
         a->change == b->change && a->link == b->link;
}

static orr_code oracle_scene(oracle *o, const train_exam_set *s) {
  if (o->scene && same_choice(&o->choice, &s->choice) && o->height == s->height &&
      o->width == s->width)
    return ORR_OK;
  data_scene_physics.destroy(o->scene);
  *o = (oracle){.choice = s->choice, .height = s->height, .width = s->width};
  return data_scene_physics.create(&(data_scene_setting){.height = s->height,
                                                         .width = s->width,
                                                         .fps = data_scene_physics.fps,
                                                         .choice = &s->choice},
                                   &o->scene);
}

// The future that is the past's own: of a group of four the even ones.
static orr_code oracle_run(oracle *o, const train_exam_clip *c, uint8_t *film) {
  const train_exam_set *s = c->set;
  const data_scene *p = &data_scene_physics;
  float action[DATA_PHYSICS_ACTIONS];
  ORR_TRY(oracle_scene(o, s));
  ORR_TRY(p->start(o->scene, s->seed,
                   (uint64_t)(s->choice.pairs ? c->episode - c->episode % 2 : c->episode)));
  for (int64_t t = 0; t < s->T; t++) {
    if (t >= c->given) ORR_TRY(p->render(o->scene, film + t * bytes_of(s)));
    p->act(o->scene, action);
    if (t + 1 < s->T) ORR_TRY(p->step(o->scene, action));
  }
  return ORR_OK;
}

static orr_code oracle_predict(void *ctx, const train_exam_clip *clip, int64_t n, uint8_t *film,
                               double *nats) {
  never_unsure(nats, n);
  for (int64_t i = 0; i < n; i++) ORR_TRY(oracle_run(ctx, &clip[i], film_at(&clip[i], i, 0, film)));
  return ORR_OK;
}

static orr_code oracle_surprise(void *ctx, const train_exam_clip *clip, int64_t n, double *nats) {
  return surprise_by(oracle_predict, ctx, clip, n, nats);
}

static void oracle_destroy(void *ctx) {
  oracle *o = ctx;
  data_scene_physics.destroy(o->scene);
  orr_free(o);
}

orr_code train_examinee_oracle(train_examinee *out) {
  oracle *o = orr_calloc(1, sizeof *o);
  ORR_CHECK(o, ORR_ENOMEM, "exam: out of memory");
  *out = (train_examinee){.name = "oracle",
                          .ctx = o,
                          .predict = oracle_predict,
                          .surprise = oracle_surprise,
                          .destroy = oracle_destroy};
  return ORR_OK;
}

// -- all ------------------------------------------------------------------------------------

void train_examinee_destroy(train_examinee *e) {
  if (e->destroy) e->destroy(e->ctx);
  *e = (train_examinee){0};
}

orr_code train_examinee_find(const char *name, train_examinee *out) {
#define TRY_ONE(known, sentence)                                                                   \
  if (strcmp(name, #known) == 0) return train_examinee_##known(out);
  TRAIN_EXAMINEES(TRY_ONE)
#undef TRY_ONE
#define WORD(known, sentence) ", " #known
  return ORR_FAIL(ORR_ECONFIG, "--examinee is '%s': wanted one of model" TRAIN_EXAMINEES(WORD),
                  name);
#undef WORD
}
