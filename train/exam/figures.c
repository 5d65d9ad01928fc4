#include "train/exam/figures.h"

#include <math.h>

#define SHOWS      0.4 // of a thing that is said to show
#define MISSED_M   1.0 // how far off one counts that is not found
#define ASTRAY_M   0.3 // how far off a thing is in the wrong place
#define FPS        10.0
#define NAME(name) #name,
const char *const train_exam_film_names[] = {TRAIN_EXAM_FILM_FIGURES(NAME)};
#undef NAME

// A colour of the episode's things in one frame.
typedef struct {
  double x, z, area;
  bool shows;
} sight;

typedef struct {
  const train_exam_set *s;
  int64_t episode, given;
  const uint8_t *film;
  const float *state; // of frame 0
  double unit;        // pixels of a thing
  int colours, colour[DATA_PHYSICS_THINGS];
  double mass[DATA_PHYSICS_THINGS];
  // [T,colours] in the simulator's film and in the predicted one, from given - 1 on; that frame is
  // the same in both
  sight real[TRAIN_EXAM_MOST][DATA_PHYSICS_THINGS], seen[TRAIN_EXAM_MOST][DATA_PHYSICS_THINGS];
} eye;

static void list_colours(eye *e) {
  for (int i = 0; i < DATA_PHYSICS_THINGS; i++) {
    const float *thing = e->state + DATA_PHYSICS_OF * i;
    const int colour = (int)thing[DATA_PHYSICS_COLOUR];
    bool known = colour < 0 || thing[DATA_PHYSICS_MASS] <= 0;
    for (int k = 0; k < e->colours; k++) known |= e->colour[k] == colour;
    if (known) continue;
    e->mass[e->colours] = thing[DATA_PHYSICS_MASS];
    e->colour[e->colours++] = colour;
  }
}

static sight look(const eye *e, const uint8_t *rgb, int colour) {
  sight v = {0};
  v.area = data_physics_locate(rgb, e->s->height, e->s->width,
                               e->state[DATA_PHYSICS_IS_OBLIQUE] > 0.5f, colour, &v.x, &v.z);
  v.shows = v.area >= SHOWS * e->unit;
  return v;
}

static void open_eye(eye *e) {
  const int64_t bytes = e->s->height * e->s->width * 3;
  e->unit = data_physics_area((int)e->state[DATA_PHYSICS_IS_CONCEPT], e->state[DATA_PHYSICS_SIZE],
                              e->s->height, e->s->width);
  list_colours(e);
  for (int64_t t = e->given - 1; t < e->s->T; t++)
    for (int k = 0; k < e->colours; k++) {
      e->real[t][k] = look(e, train_exam_frame(e->s, e->episode, t), e->colour[k]);
      e->seen[t][k] = t < e->given ? e->real[t][k] : look(e, e->film + t * bytes, e->colour[k]);
    }
}

static double mean(double sum, int64_t n) {
  return n ? sum / (double)n : NAN;
}

static double position_error(const eye *e) {
  double sum = 0;
  int64_t n = 0;
  for (int64_t t = e->given; t < e->s->T; t++)
    for (int k = 0; k < e->colours; k++) {
      const sight *real = &e->real[t][k], *seen = &e->seen[t][k];
      if (!real->shows) continue;
      sum +=
          seen->area > 0 ? fmin(MISSED_M, hypot(seen->x - real->x, seen->z - real->z)) : MISSED_M;
      n++;
    }
  return mean(sum, n);
}

static double velocity_error(const eye *e) {
  double sum = 0;
  int64_t n = 0;
  for (int64_t t = e->given; t < e->s->T; t++)
    for (int k = 0; k < e->colours; k++) {
      const sight *real = &e->real[t][k], *was = &e->real[t - 1][k], *seen = &e->seen[t][k],
                  *before = &e->seen[t - 1][k];
      if (!real->shows || !was->shows) continue;
      const double vx = FPS * (real->x - was->x), vz = FPS * (real->z - was->z),
                   missed = fmax(MISSED_M, hypot(vx, vz));
      sum += seen->area > 0 && before->area > 0
                 ? fmin(missed * 3,
                        hypot(FPS * (seen->x - before->x) - vx, FPS * (seen->z - before->z) - vz))
                 : missed;
      n++;
    }
  return mean(sum, n);
}

static double permanence(const eye *e) {
  double right = 0;
  int64_t n = 0;
  for (int64_t t = e->given; t < e->s->T; t++)
    for (int k = 0; k < e->colours; k++, n++) right += e->real[t][k].shows == e->seen[t][k].shows;
  return mean(right, n);
}

// The most that shows of a colour at once.
static double most_of(const eye *e, int k, bool predicted) {
  double most = 0;
  for (int64_t t = e->given; t < e->s->T; t++) {
    const sight *v = predicted ? &e->seen[t][k] : &e->real[t][k];
    most = fmax(most, v->area);
  }
  return most;
}

static double number(const eye *e) {
  for (int k = 0; k < e->colours; k++)
    if (fabs(most_of(e, k, true) - most_of(e, k, false)) >= 0.5 * e->unit) return 0;
  return e->colours ? 1 : NAN;
}

static double momentum_error(const eye *e) {
  const int64_t last = e->s->T - 1;
  double real = 0, seen = 0;
  if ((int)e->state[DATA_PHYSICS_IS_CONCEPT] != DATA_PHYSICS_CONCEPT_collision || e->colours < 2)
    return NAN;
  // right after they met, before one of them leaves the picture
  const int64_t t = e->given + 2 < last ? e->given + 2 : last;
  for (int k = 0; k < e->colours; k++) {
    if (!e->real[t][k].shows || !e->real[t - 1][k].shows) return NAN;
    if (e->seen[t][k].area <= 0 || e->seen[t - 1][k].area <= 0) return 1;
    real += e->mass[k] * (e->real[t][k].x - e->real[t - 1][k].x);
    seen += e->mass[k] * (e->seen[t][k].x - e->seen[t - 1][k].x);
  }
  return fabs(real) > 0 ? fabs(seen - real) / fabs(real) : NAN;
}

static eye eye_on(const train_exam_set *s, int64_t episode, int64_t given, const uint8_t *film) {
  eye e = {.s = s,
           .episode = episode,
           .given = given,
           .film = film,
           .state = train_exam_state(s, episode, 0)};
  open_eye(&e);
  return e;
}

bool train_exam_film_wrong(const train_exam_set *s, int64_t episode, int64_t given,
                           const uint8_t *film, int64_t t) {
  const eye e = eye_on(s, episode, given, film);
  for (int k = 0; k < e.colours; k++) {
    const sight *real = &e.real[t][k], *seen = &e.seen[t][k];
    if (fabs(seen->area - real->area) >= 0.5 * e.unit) return true;
    if (real->shows && seen->area > 0 && hypot(seen->x - real->x, seen->z - real->z) > ASTRAY_M)
      return true;
  }
  return false;
}

void train_exam_film_figures(const train_exam_set *s, int64_t episode, int64_t given,
                             const uint8_t *film, double out[TRAIN_EXAM_FILM_COUNT]) {
  const eye e = eye_on(s, episode, given, film);
#define ONE(name) out[TRAIN_EXAM_FILM_##name] = name(&e);
  TRAIN_EXAM_FILM_FIGURES(ONE)
#undef ONE
}
