#include "data/sim/skill.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

// Positions of the counter: a row of draws a frame, the trial's own before them.
enum { DRAWS_OF_TRIAL = 64, DRAWS_OF_FRAME = 64, DRAW_LAZY = 32 };
#define NOISE_KEPT 0.7 // from a frame to the next: shaking has a time of its own

// -- words ----------------------------------------------------------------------------------

static orr_code read_part(const char *part, const char *text, data_skill *out) {
  const struct {
    const char *name;
    double *at, most;
  } rows[] = {{"noise", &out->noise, 10},
              {"delay", &out->delay, DATA_SKILL_DELAY_MAX},
              {"bias", &out->bias, 10},
              {"lazy", &out->lazy, 1}};
  const char *is = strchr(part, '=');
  for (size_t i = 0; is && i < sizeof rows / sizeof *rows; i++) {
    const size_t n = (size_t)(is - part);
    char *end;
    if (strlen(rows[i].name) != n || strncmp(rows[i].name, part, n) != 0) continue;
    const double v = strtod(is + 1, &end);
    ORR_CHECK(is[1] && !*end && v >= 0 && v <= rows[i].most, ORR_ECONFIG,
              "skill '%s': %s is '%s', wanted a number from 0 to %g", text, rows[i].name, is + 1,
              rows[i].most);
    *rows[i].at = rows[i].at == &out->delay ? floor(v) : v;
    return ORR_OK;
  }
  return ORR_FAIL(ORR_ECONFIG,
                  "skill '%s': got '%s', wanted noise=X, delay=FRAMES, bias=X or lazy=SHARE, with "
                  "commas between them",
                  text, part);
}

orr_code data_skill_read(const char *text, data_skill *out) {
  char copy[256], *rest = NULL;
  *out = (data_skill){0};
  ORR_CHECK(strlen(text) < sizeof copy, ORR_ECONFIG, "skill '%s': too long", text);
  snprintf(copy, sizeof copy, "%s", text);
  if (strcmp(text, "expert") == 0) return ORR_OK;
  for (char *part = strtok_r(copy, ",", &rest); part; part = strtok_r(NULL, ",", &rest))
    ORR_TRY(read_part(part, text, out));
  return ORR_OK;
}

data_skill data_skill_of_episode(uint64_t seed, uint64_t episode) {
  double u[6];
  for (int i = 0; i < 6; i++) u[i] = orr_rng_uniform(seed, ORR_STREAM_SKILL, episode, (uint64_t)i);
  if (u[0] < 0.35) return (data_skill){.noise = 0.15 * u[1]};
  return (data_skill){.noise = 1.2 * u[1] * u[1],
                      .delay = u[2] < 0.5 ? 0 : floor(1 + 4 * (2 * u[2] - 1)),
                      .bias = u[3] < 0.5 ? 0 : 0.6 * (2 * u[3] - 1),
                      .lazy = u[4] < 0.5 ? 0 : 0.8 * (2 * u[4] - 1)};
}

// -- acting ---------------------------------------------------------------------------------

void data_skill_begin(data_skill_actor *a, const data_skill *skill, int64_t A, uint64_t seed,
                      uint64_t trial) {
  *a = (data_skill_actor){.skill = *skill, .seed = seed, .trial = trial, .A = (int)A};
}

static float normal(const data_skill_actor *a, uint64_t position) {
  return orr_rng_normal(a->seed, ORR_STREAM_SKILL, a->trial, position);
}

// The trial's own direction, of length 1.
static void direction(const data_skill_actor *a, double *out) {
  double square = 0;
  for (int i = 0; i < a->A; i++) {
    out[i] = normal(a, 8 + (uint64_t)i);
    square += out[i] * out[i];
  }
  for (int i = 0; i < a->A; i++) out[i] /= sqrt(square + 1e-12);
}

void data_skill_act(data_skill_actor *a, float *action) {
  const data_skill *s = &a->skill;
  const uint64_t row = DRAWS_OF_TRIAL + DRAWS_OF_FRAME * (uint64_t)a->frame;
  const int64_t delay = (int64_t)s->delay, places = DATA_SKILL_DELAY_MAX + 1;
  const bool rests = s->lazy > 0 && orr_rng_uniform(a->seed, ORR_STREAM_SKILL, a->trial,
                                                    row + DRAW_LAZY) < s->lazy;
  double bias[DATA_SKILL_ACTIONS_MAX];
  direction(a, bias);
  memcpy(a->past[a->frame % places], action, (size_t)a->A * sizeof *action);
  const int64_t then = a->frame < delay ? 0 : a->frame - delay;
  for (int i = 0; i < a->A; i++) {
    a->drift[i] = (float)(NOISE_KEPT * a->drift[i] +
                          sqrt(1 - NOISE_KEPT * NOISE_KEPT) * normal(a, row + (uint64_t)i));
    const double wanted = a->past[then % places][i] + s->noise * a->drift[i] + s->bias * bias[i];
    action[i] = rests ? 0 : (float)fmax(-1, fmin(1, wanted));
  }
  a->frame++;
}
