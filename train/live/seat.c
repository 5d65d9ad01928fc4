#include "train/live/seat.h"

#include <math.h>
#include <string.h>

enum { MESSAGES_A_SECOND = 2000, MESSAGES_AT_ONCE = 4000 };

static int64_t period_ns(const train_live_seat *s) {
  return (int64_t)(1e9 / s->fps);
}

void train_live_seat_take(train_live_seat *s, train_live_voice voice, int64_t now_ns) {
  train_live_seat_leave(s);
  s->voice = voice;
  s->last_ns = s->due_ns = s->served_ns = now_ns;
  s->heard_ns = s->pinged_ns = s->credit_ns = now_ns;
  s->credit = MESSAGES_AT_ONCE;
  s->stamp = (train_wire_stamp){0};
  s->arrived_ns = 0;
  s->rate = 0.0;
}

void train_live_seat_leave(train_live_seat *s) {
  s->voice = (train_live_voice){0};
  s->ready = s->running = s->by_input = s->changed = s->has_picture = s->watch = false;
  s->frames_asked = 0;
  train_live_sound_end(&s->sound);
}

void train_live_seat_hear(train_live_seat *s, int64_t now_ns) {
  float action[DATA_MEL_BANDS_MAX];
  if (!s->ready || train_live_session_catching_up(&s->session)) return;
  if (!train_live_sound_acts(&s->sound)) return;
  train_live_sound_at(&s->sound, s->session.frame, now_ns, action);
  train_live_session_act(&s->session, action, s->sound.bands);
}

int64_t train_live_seat_due(const train_live_seat *s) {
  if (!s->ready) return INT64_MAX;
  if (train_live_seat_is_hidden(s) || s->frames_asked > 0) return s->served_ns;
  if (!s->running || s->by_input) return INT64_MAX;
  const int64_t soonest = s->last_ns + period_ns(s) / 2;
  return s->changed && soonest < s->due_ns ? soonest : s->due_ns;
}

void train_live_seat_input(train_live_seat *s, const train_wire_input *in, int64_t now_ns) {
  const int64_t A = s->session.world[0]->A, n = in->components < A ? in->components : A;
  float action[4096] = {0};
  bool other = false;
  if (train_live_sound_acts(&s->sound)) return;
  for (int64_t i = 0; i < n; i++) {
    action[i] = train_wire_value(in, i);
    other = other || memcmp(&action[i], &s->session.action[i], sizeof action[i]) != 0;
  }
  train_live_session_act(&s->session, action, n);
  s->holds = !other;
  if (s->by_input && s->running) s->frames_asked = 1;
  if (!other && !s->by_input) { // the same held on: nothing to answer
    if (s->arrived_ns == 0) s->stamp = in->stamp;
    return;
  }
  s->stamp = in->stamp;
  s->arrived_ns = now_ns;
  s->changed = true;
}

static void note_rate(train_live_seat *s, int64_t now_ns) {
  const double since = 1e-9 * (double)(now_ns - s->last_ns);
  if (since <= 0.0 || since > 2.0)
    s->rate = 0.0;
  else
    s->rate = s->rate > 0.0 ? 0.9 * s->rate + 0.1 / since : fmin(1.0 / since, s->fps);
}

static void send_frame(train_live_seat *s, unsigned flags, int64_t now_ns, int w) {
  const train_live_world *world = s->session.world[w];
  train_wire_frame f = {.world = w,
                        .flags = flags,
                        .width = world->width,
                        .height = world->height,
                        .frame = s->session.frame - 1,
                        .stamp = s->stamp,
                        .decode_ms = (float)s->session.decode_ms,
                        .surprise = (float)s->session.nll[w],
                        .outcome = s->session.said[w],
                        .answer_ms =
                            s->arrived_ns ? (float)(1e-6 * (double)(now_ns - s->arrived_ns)) : NAN,
                        .rate = (float)s->rate,
                        .hash = s->session.hash[w]};
  s->voice.show(s->voice.ctx, &f, s->session.pixels[w]);
}

static void put_on_reel(train_live_seat *s) {
  uint8_t *const pixels[] = {s->session.pixels[0],
                             s->simulator ? s->simulator->pixels : s->session.pixels[1]};
  train_live_reel_put(&s->reel, s->session.frame - 1, pixels);
}

orr_code train_live_seat_simulate(train_live_seat *s, bool *more) {
  bool there = false;
  *more = false;
  if (!s->ready || !s->simulator || s->simulated || train_live_seat_is_hidden(s)) return ORR_OK;
  if (!train_live_simulator_moves(s->simulator)) return ORR_OK;
  ORR_TRY(
      train_live_simulator_follow(s->simulator, &s->session.record, s->session.frame - 1, &there));
  *more = !there;
  if (!there) return ORR_OK;
  s->simulated = true;
  put_on_reel(s);
  train_wire_frame f = {.world = 1,
                        .width = s->simulator->width,
                        .height = s->simulator->height,
                        .frame = s->session.frame - 1,
                        .stamp = s->stamp,
                        .surprise = NAN,
                        .outcome = {NAN, NAN, NAN},
                        .answer_ms = NAN,
                        .rate = (float)s->rate,
                        .hash =
                            orr_hash_bytes(s->simulator->pixels, s->session.world[0]->frame_bytes)};
  if (train_live_seat_is_taken(s)) s->voice.show(s->voice.ctx, &f, s->simulator->pixels);
  return ORR_OK;
}

void train_live_seat_show(train_live_seat *s, unsigned flags, int64_t now_ns) {
  note_rate(s, now_ns);
  s->simulated = false;
  if (!s->simulator || !train_live_simulator_moves(s->simulator)) put_on_reel(s);
  if (train_live_seat_is_taken(s))
    for (int w = 0; w < s->session.worlds; w++) send_frame(s, flags, now_ns, w);
  s->arrived_ns = 0;
  s->changed = false;
  if (s->frames_asked > 0) s->frames_asked--;
  // a frame that came late does not make the next ones hurry
  s->due_ns = s->due_ns + period_ns(s) > now_ns ? s->due_ns + period_ns(s) : now_ns;
  if (s->due_ns > now_ns + period_ns(s)) s->due_ns = now_ns + period_ns(s);
  s->last_ns = now_ns;
}

bool train_live_seat_allows(train_live_seat *s, int64_t now_ns) {
  s->credit += 1e-9 * (double)(now_ns - s->credit_ns) * MESSAGES_A_SECOND;
  if (s->credit > MESSAGES_AT_ONCE) s->credit = MESSAGES_AT_ONCE;
  s->credit_ns = now_ns;
  s->credit -= 1.0;
  return s->credit >= 0.0;
}
