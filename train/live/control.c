#include "train/live/control.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "train/live/clip.h"
#include "train/live/keep.h"

enum { MOST_PROMPT = 256, MOST_MAPPING = 16384 };

orr_code train_live_control_say(train_live_seat *s, json_t *j) {
  char *text = j ? json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
  json_decref(j);
  ORR_CHECK(text, ORR_ENOMEM, "play: out of memory");
  const orr_code rc =
      train_live_seat_is_taken(s) ? s->voice.say(s->voice.ctx, true, text, strlen(text)) : ORR_OK;
  free(text);
  return rc;
}

orr_code train_live_control_error(train_live_seat *s, const char *code, const char *words) {
  return train_live_control_say(
      s, json_pack("{s:s, s:s, s:s}", "say", "error", "code", code, "words", words));
}

orr_code train_live_control_note(train_live_seat *s, const char *what, const char *words) {
  return train_live_control_say(s, json_pack("{s:s, s:s}", "say", what, "words", words));
}

// -- hello ------------------------------------------------------------------------------------

static json_t *components_of(const train_live_house *h) {
  json_t *all = json_array();
  for (int64_t i = 0; i < h->A_set; i++)
    json_array_append_new(all,
                          json_pack("{s:s, s:f, s:f, s:f}", "name", h->action_names[i], "low",
                                    h->action_low[i], "high", h->action_high[i], "rest", h->rest));
  return all;
}

static json_t *sets_of(const train_live_house *h) {
  json_t *all = json_array();
  for (int i = 0; i < h->sets; i++)
    json_array_append_new(all, json_pack("{s:s, s:I}", "name", h->set[i].name, "clips",
                                         (json_int_t)train_episodes_count(h->set[i].episodes)));
  return all;
}

static json_t *worlds_of(const train_live_house *h, const train_live_seat *s) {
  json_t *all = json_array();
  const int worlds = s->session.worlds + (s->simulator != NULL);
  for (int w = 0; w < worlds; w++) json_array_append_new(all, json_string(h->names[w]));
  return all;
}

json_t *train_live_control_hello(const train_live_house *h, const train_live_seat *s) {
  const train_live_world *w = s->session.world[0];
  return json_pack(
      "{s:s, s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:f, s:f, s:o, s:o, s:o, "
      "s:s?, s:I}",
      "say", "hello", "protocol", TRAIN_LIVE_PROTOCOL, "model", w->m.dynamics->path, "checkpoint",
      w->checkpoint.s, "tokenizer", w->tokenizer.s, "step", (json_int_t)w->m.dynamics->step,
      "width", (json_int_t)w->width, "height", (json_int_t)w->height, "fps", h->fps, "window",
      (json_int_t)w->window, "prompt", (json_int_t)h->prompt, "steps",
      (json_int_t)h->settings.steps, "steps_most", (json_int_t)h->steps_most, "temperature",
      h->settings.temperature, "choice_temperature", h->settings.choice_temperature, "components",
      components_of(h), "sets", sets_of(h), "worlds", worlds_of(h, s), "replay", h->replay_name,
      "hears", (json_int_t)h->hearing.bands);
}

orr_code train_live_control_started(train_live_seat *s) {
  const train_record *r = &s->session.record;
  return train_live_control_say(
      s, json_pack("{s:s, s:I, s:I, s:I, s:f, s:I, s:b, s:b, s:O?, s:O?}", "say", "started",
                   "frame", (json_int_t)(s->session.frame - 1), "goal",
                   (json_int_t)(s->session.goal - 1), "seed", (json_int_t)r->settings.seed, "fps",
                   s->fps, "steps", (json_int_t)r->settings.steps, "replay", s->watch, "simulated",
                   s->simulator && train_live_simulator_moves(s->simulator), "start", r->start,
                   "mapping", r->mapping));
}

orr_code train_live_control_state(train_live_seat *s) {
  return train_live_control_say(
      s, json_pack("{s:s, s:b, s:I, s:I, s:f, s:b}", "say", "state", "running", s->running, "frame",
                   (json_int_t)(s->session.frame - 1), "goal", (json_int_t)(s->session.goal - 1),
                   "fps", s->fps, "by_input", s->by_input));
}

// -- sound ------------------------------------------------------------------------------------

orr_code train_live_control_sound(train_live_seat *s) {
  static const char *const kinds[] = {"none", "file", "stream"};
  const train_live_sound *x = &s->sound;
  return train_live_control_say(s, json_pack("{s:s, s:s, s:f, s:f}", "say", "sound", "kind",
                                             kinds[x->kind], "rate", x->rate, "seconds",
                                             x->rate > 0 ? (double)x->whole / x->rate : 0.0));
}

void train_live_control_rest(const train_live_house *h, train_live_seat *s) {
  float action[4096];
  for (int64_t i = 0; i < h->A_set; i++) action[i] = h->rest;
  train_live_session_act(&s->session, action, h->A_set);
}

orr_code train_live_control_hear(const train_live_house *h, train_live_seat *s, int64_t now_ns) {
  if (!train_live_sound_acts(&s->sound)) return ORR_OK;
  if (!train_live_sound_is_over(&s->sound, s->session.frame)) {
    train_live_seat_hear(s, now_ns);
    return ORR_OK;
  }
  train_live_sound_end(&s->sound);
  train_live_control_rest(h, s);
  return train_live_control_sound(s);
}

static orr_code do_hush(const train_live_house *h, train_live_seat *s, const json_t *j,
                        int64_t now_ns) {
  train_live_sound_end(&s->sound);
  if (s->ready) train_live_control_rest(h, s);
  return train_live_control_sound(s);
}

// -- reading wishes ---------------------------------------------------------------------------

// *out keeps its value where the wish does not say.
static orr_code whole(const json_t *j, const char *key, int64_t low, int64_t high, int64_t *out) {
  const json_t *v = json_object_get(j, key);
  if (!v) return ORR_OK;
  ORR_CHECK(json_is_integer(v) && json_integer_value(v) >= low && json_integer_value(v) <= high,
            ORR_EINVAL, "\"%s\": wanted a whole number from %" PRId64 " to %" PRId64, key, low,
            high);
  *out = json_integer_value(v);
  return ORR_OK;
}

static orr_code real(const json_t *j, const char *key, double low, double high, double *out) {
  const json_t *v = json_object_get(j, key);
  if (!v) return ORR_OK;
  ORR_CHECK(json_is_number(v) && json_number_value(v) >= low && json_number_value(v) <= high,
            ORR_EINVAL, "\"%s\": wanted a number from %g to %g", key, low, high);
  *out = json_number_value(v);
  return ORR_OK;
}

static orr_code read_settings(const train_live_house *h, const json_t *j,
                              train_engine_settings *out) {
  int64_t seed = (int64_t)h->settings.seed, sample = 0;
  *out = h->settings;
  ORR_TRY(whole(j, "seed", 0, UINT32_MAX, &seed));
  ORR_TRY(whole(j, "sample", 0, INT64_MAX, &sample));
  ORR_TRY(whole(j, "steps", 1, h->steps_most, &out->steps));
  ORR_TRY(real(j, "temperature", 0.0, 100.0, &out->temperature));
  ORR_TRY(real(j, "choice_temperature", 0.0, 100.0, &out->choice_temperature));
  out->seed = (uint64_t)seed;
  out->sample = (uint64_t)sample;
  return ORR_OK;
}

static orr_code read_mapping(const json_t *j, json_t **out) {
  json_t *m = json_object_get(j, "mapping");
  *out = NULL;
  if (!m) return ORR_OK;
  ORR_CHECK(json_is_object(m) && json_dumpb(m, NULL, 0, JSON_COMPACT) <= MOST_MAPPING, ORR_EINVAL,
            "\"mapping\": wanted an object of at most %d bytes", (int)MOST_MAPPING);
  *out = m;
  return ORR_OK;
}

// -- beginnings -------------------------------------------------------------------------------

// What an action is called is told by data sets, and a session may be played where none is open.
static void name_actions(const train_live_house *h, train_record *r) {
  json_t *names = h->sets && r->start ? json_array() : NULL;
  for (int64_t i = 0; names && i < h->A_set; i++)
    json_array_append_new(names, json_string(h->action_names[i]));
  if (names) json_object_set_new(r->start, "actions", names);
}

static orr_code begin(const train_live_house *h, train_live_seat *s, const train_live_start *start,
                      int64_t now_ns) {
  train_live_keep_end(h, s);
  ORR_TRY(train_live_session_begin(&s->session, start, h->record_bytes));
  name_actions(h, &s->session.record);
  train_live_control_rest(h, s);
  s->ready = true;
  s->fps = start->fps;
  s->frames_asked = 0;
  s->last_ns = s->due_ns = now_ns;
  ORR_TRY(train_live_control_started(s));
  train_live_seat_show(s, TRAIN_WIRE_GIVEN, now_ns);
  return ORR_OK;
}

static orr_code begin_with_clip(const train_live_house *h, train_live_seat *s, const json_t *j,
                                train_live_start *start, int64_t now_ns) {
  int64_t set = 0, clip = 0, from = 0;
  ORR_CHECK(
      h->sets > 0, ORR_EINVAL,
      "there is no data set to begin from: give orrery play one by --data, or a picture here");
  ORR_TRY(whole(j, "set", 0, h->sets - 1, &set));
  ORR_TRY(whole(j, "clip", 0, train_episodes_count(h->set[set].episodes) - 1, &clip));
  ORR_TRY(whole(j, "from", 0, INT64_MAX, &from));
  train_live_clip c;
  orr_code rc = train_live_clip_read(&h->set[set], s->session.world[0], clip, from, start, &c);
  if (rc == ORR_OK) rc = train_live_keep_simulator(h, s, start->start);
  if (rc == ORR_OK) rc = begin(h, s, start, now_ns);
  train_live_clip_release(&c);
  return rc;
}

static orr_code begin_with_picture(const train_live_house *h, train_live_seat *s,
                                   train_live_start *start, int64_t now_ns) {
  ORR_CHECK(s->has_picture, ORR_EINVAL, "no picture has come yet");
  start->prompt = 1;
  start->frames = s->picture;
  start->A_set = h->A_set;
  start->start = json_pack("{s:s}", "set", "picture");
  orr_code rc = train_live_keep_simulator(h, s, start->start);
  if (rc == ORR_OK) rc = begin(h, s, start, now_ns);
  json_decref(start->start);
  return rc;
}

static orr_code begin_with_replay(const train_live_house *h, train_live_seat *s, int64_t now_ns) {
  ORR_CHECK(h->replay, ORR_EINVAL, "there is no session to play again: give orrery play --replay");
  return train_live_keep_resume(h, s, h->replay_name, h->replay, h->replay_bytes, false, now_ns);
}

static orr_code do_start(const train_live_house *h, train_live_seat *s, const json_t *j,
                         int64_t now_ns) {
  train_live_start start = {.prompt = h->prompt, .fps = h->fps, .branch = h->branch};
  if (json_is_true(json_object_get(j, "replay"))) return begin_with_replay(h, s, now_ns);
  ORR_TRY(read_settings(h, j, &start.settings));
  ORR_TRY(read_mapping(j, &start.mapping));
  ORR_TRY(whole(j, "prompt", 1, MOST_PROMPT, &start.prompt));
  ORR_TRY(real(j, "fps", 0.1, 1000.0, &start.fps));
  return json_is_true(json_object_get(j, "picture")) ? begin_with_picture(h, s, &start, now_ns)
                                                     : begin_with_clip(h, s, j, &start, now_ns);
}

// -- time -------------------------------------------------------------------------------------

static orr_code do_go(const train_live_house *h, train_live_seat *s, const json_t *j,
                      int64_t now_ns) {
  const char *each = json_string_value(json_object_get(j, "each"));
  ORR_CHECK(!each || strcmp(each, "tick") == 0 || strcmp(each, "input") == 0, ORR_EINVAL,
            "\"each\": wanted \"tick\" or \"input\"");
  ORR_TRY(real(j, "fps", 0.1, 1000.0, &s->fps));
  if (each) s->by_input = strcmp(each, "input") == 0;
  if (!s->running) s->due_ns = now_ns;
  s->running = true;
  return train_live_control_state(s);
}

static orr_code do_pause(const train_live_house *h, train_live_seat *s, const json_t *j,
                         int64_t now_ns) {
  s->running = false;
  s->frames_asked = 0;
  return train_live_control_state(s);
}

static orr_code do_step(const train_live_house *h, train_live_seat *s, const json_t *j,
                        int64_t now_ns) {
  int64_t frames = 1;
  ORR_TRY(whole(j, "frames", 1, 1000, &frames));
  s->running = false;
  s->frames_asked = frames;
  return train_live_control_state(s);
}

static orr_code go_back(train_live_seat *s, int64_t frame, int64_t now_ns) {
  s->running = s->watch = false;
  s->frames_asked = 0;
  ORR_TRY(train_live_session_back(&s->session, frame));
  ORR_TRY(train_live_control_state(s));
  if (!train_live_session_catching_up(&s->session))
    train_live_seat_show(s, TRAIN_WIRE_GIVEN, now_ns);
  return ORR_OK;
}

static orr_code do_back(const train_live_house *h, train_live_seat *s, const json_t *j,
                        int64_t now_ns) {
  const train_live_session *x = &s->session;
  const int64_t last = train_live_session_catching_up(x) ? x->goal - 1 : x->frame - 1;
  int64_t frame = -1;
  ORR_CHECK(s->ready, ORR_EINVAL, "nothing has begun yet");
  ORR_TRY(whole(j, "frame", x->record.prompt - 1, last, &frame));
  ORR_CHECK(frame >= 0, ORR_EINVAL, "\"frame\" is missing");
  return go_back(s, frame, now_ns);
}

static orr_code do_reset(const train_live_house *h, train_live_seat *s, const json_t *j,
                         int64_t now_ns) {
  ORR_CHECK(s->ready, ORR_EINVAL, "nothing has begun yet");
  return go_back(s, s->session.record.prompt - 1, now_ns);
}

// -- files ------------------------------------------------------------------------------------

static orr_code do_map(const train_live_house *h, train_live_seat *s, const json_t *j,
                       int64_t now_ns) {
  json_t *m;
  ORR_TRY(read_mapping(j, &m));
  json_decref(s->session.record.mapping);
  s->session.record.mapping = json_incref(m);
  return ORR_OK;
}

static orr_code do_save(const train_live_house *h, train_live_seat *s, const json_t *j,
                        int64_t now_ns) {
  return train_live_keep_session(s);
}

static orr_code do_film(const train_live_house *h, train_live_seat *s, const json_t *j,
                        int64_t now_ns) {
  return train_live_keep_film(h, s, json_string_value(json_object_get(j, "format")));
}

static orr_code do_ping(const train_live_house *h, train_live_seat *s, const json_t *j,
                        int64_t now_ns) {
  return train_live_control_say(
      s, json_pack("{s:s, s:O?}", "say", "pong", "clock", json_object_get(j, "clock")));
}

// -- all wishes -------------------------------------------------------------------------------

static const struct {
  const char *word;
  orr_code (*run)(const train_live_house *, train_live_seat *, const json_t *, int64_t);
} wishes[] = {{"start", do_start}, {"go", do_go},       {"pause", do_pause}, {"step", do_step},
              {"back", do_back},   {"reset", do_reset}, {"map", do_map},     {"save", do_save},
              {"film", do_film},   {"hush", do_hush},   {"ping", do_ping}};

static orr_code run_wish(const train_live_house *h, train_live_seat *s, const json_t *j,
                         int64_t now_ns) {
  const char *word = json_string_value(json_object_get(j, "do"));
  ORR_CHECK(word, ORR_EINVAL, "wanted an object with \"do\"");
  for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++)
    if (strcmp(wishes[i].word, word) == 0) return wishes[i].run(h, s, j, now_ns);
  return ORR_FAIL(ORR_EINVAL, "\"do\" is \"%.40s\": no such wish", word);
}

orr_code train_live_control_do(const train_live_house *h, train_live_seat *s, const char *text,
                               size_t size, int64_t now_ns) {
  json_t *j = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
  if (!j) return train_live_control_error(s, "format", "a message that is no JSON object");
  const orr_code rc = run_wish(h, s, j, now_ns);
  json_decref(j);
  if (rc != ORR_EINVAL && rc != ORR_EFORMAT) return rc;
  return train_live_control_error(s, "wish", orr_status_message());
}
