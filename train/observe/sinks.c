#include "train/observe/sinks.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "data/remote/http_post.h"
#include "train/observe/events.h"
#include "train/observe/prometheus.h"

enum { QUEUE = 64, NOTES = 16, WORDS = 512, LOOK_MS = 200, FAREWELL_MS = 5000, REQUEST_S = 10 };
enum { REWIND = -1 }; // in place of a number of values: the run goes back to that step

typedef struct {
  char state[32], words[WORDS];
  int64_t step, wall_s;
} note;

// A picture for TensorBoard.
typedef struct {
  const char *tag; // NULL: none waits
  orr_path path;
  int64_t step;
  double wall_s;
} shown;

// One address and how it fares. The thread's alone.
typedef struct {
  const char *what; // the knob
  char *url;
  int failures; // in a row
  double next_ms;
} outlet;

struct train_sinks {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool started;
  atomic_bool give_up; // a request under way ends
  // Under the lock: what waits for the thread. The oldest notes stay, the newest steps win.
  bool ending, ended; // asked to end; has
  train_scalars step[QUEUE];
  int64_t steps_in, steps_out;
  note notes[NOTES];
  int64_t notes_in, notes_out, lost;
  shown picture;
  train_vitals vitals;
  bool changed_state;
  // The thread's.
  char *run;
  double push_every_ms;
  train_events *events;
  outlet gateway, webhook;
  train_scalars latest, taken;
  bool fresh; // `latest` was not pushed yet
  train_vitals shown;
  char text[TRAIN_PROMETHEUS_BYTES];
};

// An address that starts with @ is in the first line of that file: such addresses can be secrets,
// and config.yaml is kept with every checkpoint.
static orr_code read_url(const char *what, const char *value, char **url) {
  size_t bytes;
  if (value[0] != '@') {
    *url = orr_strdup(value);
    ORR_CHECK(*url, ORR_ENOMEM, "%s: out of memory", what);
    return ORR_OK;
  }
  ORR_TRY(orr_fs_read_all(value + 1, url, &bytes));
  (*url)[strcspn(*url, "\r\n")] = '\0';
  ORR_CHECK((*url)[0], ORR_ECONFIG, "%s: %s has no address in its first line", what, value + 1);
  return ORR_OK;
}

// True when it may be tried now. After failures the pauses double, up to a minute.
static bool due(const outlet *o) {
  return o->url && orr_clock_ms() >= o->next_ms;
}

static bool send_to(train_sinks *s, outlet *o, data_http_post_args a) {
  a.url = o->url;
  a.timeout_s = REQUEST_S;
  a.give_up = &s->give_up;
  if (data_http_post(&a) == ORR_OK) {
    if (o->failures) ORR_INFO("%s: works again after %d failures", o->what, o->failures);
    o->failures = 0;
    return true;
  }
  if (o->failures++ == 0)
    ORR_WARN("%s: %s; training goes on, it is tried again later", o->what, orr_status_message());
  o->next_ms = orr_clock_ms() + 1e3 * (o->failures < 6 ? 1 << o->failures : 60);
  return false;
}

static void push(train_sinks *s) {
  const size_t bytes =
      train_prometheus_vitals(&s->shown, train_prometheus_text(&s->latest, s->text), s->text);
  s->fresh = !send_to(s, &s->gateway,
                      (data_http_post_args){.content_type = "text/plain; version=0.0.4",
                                            .body = s->text,
                                            .bytes = bytes,
                                            .method = "PUT"});
  if (!s->fresh) s->gateway.next_ms = orr_clock_ms() + s->push_every_ms;
}

static bool post_note(train_sinks *s, const note *n) {
  json_t *j = json_pack("{s:s, s:s, s:I, s:s, s:I}", "run", s->run, "state", n->state, "step",
                        (json_int_t)n->step, "text", n->words, "time", (json_int_t)n->wall_s);
  char *body = j ? json_dumps(j, JSON_COMPACT) : NULL;
  json_decref(j);
  if (!body) return true; // no UTF-8, or out of memory: nothing that a later try would mend
  const bool sent =
      send_to(s, &s->webhook,
              (data_http_post_args){
                  .content_type = "application/json", .body = body, .bytes = strlen(body)});
  free(body);
  return sent;
}

static void settle_events(train_sinks *s, orr_code rc) {
  if (rc == ORR_OK) return;
  ORR_WARN("metrics.tensorboard: %s; training goes on without these files", orr_status_message());
  train_events_close(s->events);
  s->events = NULL;
}

static void write_events(train_sinks *s) {
  if (!s->events) return;
  settle_events(s, s->taken.n == REWIND
                       ? train_events_rewind(s->events, s->taken.step, s->taken.wall_s)
                       : train_events_write(s->events, &s->taken));
}

// Called and left with the lock held.
static void take_picture(train_sinks *s) {
  const shown p = s->picture;
  char *png = NULL;
  size_t bytes;
  s->picture.tag = NULL;
  pthread_mutex_unlock(&s->lock);
  if (s->events && orr_fs_read_all(p.path, &png, &bytes) == ORR_OK)
    settle_events(s, train_events_image(s->events, p.tag, p.step, p.wall_s, png, bytes));
  orr_status_clear();
  orr_free(png);
  pthread_mutex_lock(&s->lock);
}

// Takes one step from the queue into s->taken; called and left with the lock held.
static void take_step(train_sinks *s) {
  s->taken = s->step[s->steps_out++ % QUEUE];
  pthread_mutex_unlock(&s->lock);
  write_events(s);
  if (s->taken.n != REWIND) {
    s->latest = s->taken;
    s->fresh = true;
  }
  pthread_mutex_lock(&s->lock);
}

static void send_note(train_sinks *s) {
  const note n = s->notes[s->notes_out % NOTES];
  pthread_mutex_unlock(&s->lock);
  const bool sent = post_note(s, &n);
  pthread_mutex_lock(&s->lock);
  if (sent) s->notes_out++;
}

// With the lock held.
static bool over(const train_sinks *s) {
  const char *state = s->vitals.state;
  return s->gateway.url && !s->gateway.failures && state &&
         (strcmp(state, "finished") == 0 || strcmp(state, "stopped") == 0);
}

static void clear(train_sinks *s) {
  send_to(s, &s->gateway,
          (data_http_post_args){.content_type = "text/plain", .body = "", .method = "DELETE"});
}

static int64_t in_ns(int64_t ms) {
  return orr_clock_ns() + 1000000 * ms;
}

static void *serve(void *ctx) {
  train_sinks *s = ctx;
  pthread_mutex_lock(&s->lock);
  while (!atomic_load(&s->give_up)) {
    // At the end what was put off for its turn goes at once; what failed does not keep us.
    const bool last = s->ending, noted = s->notes_in > s->notes_out;
    s->fresh = s->fresh || s->changed_state;
    if (s->changed_state) s->gateway.next_ms = s->gateway.failures ? s->gateway.next_ms : 0.0;
    s->changed_state = false;
    s->shown = s->vitals;
    if (s->steps_in > s->steps_out) {
      take_step(s);
    } else if (s->picture.tag) {
      take_picture(s);
    } else if (noted && due(&s->webhook)) {
      send_note(s);
    } else if (s->fresh && s->gateway.url && (due(&s->gateway) || (last && !s->gateway.failures))) {
      pthread_mutex_unlock(&s->lock);
      push(s);
      pthread_mutex_lock(&s->lock);
    } else if (last && !(noted && s->webhook.url)) {
      break;
    } else {
      orr_cond_wait(&s->changed, &s->lock, in_ns(LOOK_MS));
    }
  }
  if (over(s)) {
    pthread_mutex_unlock(&s->lock);
    clear(s);
    pthread_mutex_lock(&s->lock);
  }
  s->ended = true;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
  return NULL;
}

static orr_code open_outlets(train_sinks *s, const cfg *c) {
  char *gateway = NULL;
  s->gateway.what = "metrics.pushgateway";
  s->webhook.what = "metrics.webhook";
  if (c->metrics.webhook[0])
    ORR_TRY(read_url(s->webhook.what, c->metrics.webhook, &s->webhook.url));
  if (!c->metrics.pushgateway[0]) return ORR_OK;
  ORR_TRY(read_url(s->gateway.what, c->metrics.pushgateway, &gateway));
  const orr_code rc = train_prometheus_url(gateway, c->metrics.job, c->run.dir, &s->gateway.url);
  orr_free(gateway);
  return rc;
}

static orr_code open_events(train_sinks *s, const cfg *c, int64_t from, train_outage *outage) {
  orr_path dir;
  if (!c->metrics.tensorboard) return ORR_OK;
  ORR_TRY(orr_fs_join(dir, sizeof dir, c->run.dir, "tensorboard"));
  return train_events_open(dir, from, (double)orr_clock_wall_s(), outage, &s->events);
}

orr_code train_sinks_create(const cfg *c, int64_t from, train_outage *outage, train_sinks **out) {
  orr_code rc;
  *out = NULL;
  if (!c->metrics.tensorboard && !c->metrics.pushgateway[0] && !c->metrics.webhook[0])
    return ORR_OK;
  train_sinks *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "metrics: out of memory");
  pthread_mutex_init(&s->lock, NULL);
  orr_cond_init(&s->changed);
  s->vitals.state = "starting";
  s->latest.step = from;
  s->push_every_ms = 1e3 * c->metrics.push_every_s;
  s->run = orr_strdup(c->run.dir);
  ORR_CHECK_GOTO(s->run, fail, ORR_ENOMEM, "metrics: out of memory");
  ORR_TRY_GOTO(open_outlets(s, c), fail);
  ORR_TRY_GOTO(open_events(s, c, from, outage), fail);
  ORR_TRY_GOTO(data_http_start(), fail);
  rc = orr_thread_start(&s->thread, serve, s, "metrics");
  s->started = rc == ORR_OK;
  if (!s->started) data_http_stop();
  ORR_TRY_GOTO(rc, fail);
  *out = s;
  return ORR_OK;
fail:
  train_sinks_destroy(s);
  return rc;
}

void train_sinks_put(train_sinks *s, const train_scalars *v) {
  if (!s) return;
  pthread_mutex_lock(&s->lock);
  if (s->steps_in - s->steps_out < QUEUE)
    s->step[s->steps_in++ % QUEUE] = *v;
  else
    s->lost++;
  pthread_cond_signal(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

void train_sinks_show(train_sinks *s, const char *tag, int64_t step, const char *path) {
  if (!s) return;
  pthread_mutex_lock(&s->lock);
  s->lost += s->picture.tag != NULL;
  s->picture = (shown){.tag = tag, .step = step, .wall_s = orr_clock_wall()};
  snprintf(s->picture.path, sizeof s->picture.path, "%s", path);
  pthread_cond_signal(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

void train_sinks_vitals(train_sinks *s, const train_vitals *v) {
  if (!s) return;
  pthread_mutex_lock(&s->lock);
  s->changed_state = s->changed_state || strcmp(s->vitals.state, v->state) != 0;
  s->vitals = *v;
  if (s->changed_state) pthread_cond_signal(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

void train_sinks_rewind(train_sinks *s, int64_t from) {
  train_sinks_put(s, &(train_scalars){.step = from, .wall_s = orr_clock_wall(), .n = REWIND});
}

void train_sinks_tell(train_sinks *s, const char *state, int64_t step, const char *words) {
  if (!s || !s->webhook.url) return;
  pthread_mutex_lock(&s->lock);
  if (s->notes_in - s->notes_out < NOTES) {
    note *n = &s->notes[s->notes_in++ % NOTES];
    *n = (note){.step = step, .wall_s = orr_clock_wall_s()};
    snprintf(n->state, sizeof n->state, "%s", state);
    snprintf(n->words, sizeof n->words, "%s", words);
  } else {
    s->lost++;
  }
  pthread_cond_signal(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

static void stop_thread(train_sinks *s) {
  const int64_t until_ns = in_ns(FAREWELL_MS);
  pthread_mutex_lock(&s->lock);
  s->ending = true;
  pthread_cond_broadcast(&s->changed);
  while (!s->ended && orr_cond_wait(&s->changed, &s->lock, until_ns)) {
  }
  pthread_mutex_unlock(&s->lock);
  atomic_store(&s->give_up, true);
  pthread_join(s->thread, NULL);
  const int64_t left = s->lost + (s->notes_in - s->notes_out) + (s->steps_in - s->steps_out);
  if (left > 0) ORR_WARN("metrics: %" PRId64 " values or messages did not reach their sinks", left);
  data_http_stop();
}

void train_sinks_destroy(train_sinks *s) {
  if (!s) return;
  if (s->started) stop_thread(s);
  train_events_close(s->events);
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->lock);
  orr_free(s->webhook.url);
  orr_free(s->gateway.url);
  orr_free(s->run);
  orr_free(s);
}
