#include "train/engine/memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

// A session's state, one array after the other.
typedef struct {
  int64_t *frame;   // [slots] that lie there
  int32_t *set;     // [history,most]: what frame t sees at t % history
  int32_t *codes;   // [slots,S] of the frames that lie there
  int32_t *past;    // [past,S]: of frame t at t % past
  train_pose *pose; // [slots] of the frames that lie there
  train_pose *path; // [past]: of frame t at t % past
} state;

static state state_of(const train_memory *m, int64_t session) {
  state s;
  unsigned char *at = m->all + (size_t)session * m->bytes;
  s.frame = (int64_t *)(void *)at;
  s.set = (int32_t *)(void *)(s.frame + m->slots);
  s.codes = s.set + m->history * m->most;
  s.past = s.codes + m->slots * m->S;
  s.pose = (train_pose *)(void *)(s.past + m->past * m->S);
  s.path = s.pose + m->slots;
  return s;
}

orr_code train_memory_init(train_memory *m, int64_t sessions, int64_t most, int64_t window,
                           int64_t ahead, int64_t S, const train_pose_moves *moves) {
  *m = (train_memory){
      .sessions = sessions, .most = most, .window = window, .ahead = ahead, .S = S, .moves = moves};
  if (most == 0) return ORR_OK;
  ORR_CHECK(window >= 2, ORR_EINVAL,
            "memory of %" PRId64 " frames with a window of %" PRId64
            ": a frame is remembered when it leaves the window; wanted a window of 2 or more",
            most, window);
  m->slots = most + ahead + 2;
  m->history = ahead + 2;
  m->past = window + ahead;
  const int64_t poses = 4 * (m->slots + m->past);
  const int64_t numbers = m->history * most + (m->slots + m->past) * S + poses;
  m->bytes = (size_t)m->slots * sizeof(int64_t) + (size_t)(numbers + numbers % 2) * sizeof(int32_t);
  m->all = orr_calloc((size_t)sessions, m->bytes);
  m->shown = orr_calloc((size_t)most, sizeof *m->shown);
  ORR_CHECK(m->all && m->shown, ORR_ENOMEM, "memory of %" PRId64 " sessions: out of memory",
            sessions);
  return ORR_OK;
}

void train_memory_release(train_memory *m) {
  orr_free(m->shown);
  orr_free(m->all);
  *m = (train_memory){0};
}

unsigned char *train_memory_state(const train_memory *m, int64_t session) {
  return m->all + (size_t)session * m->bytes;
}

static int32_t *set_of(const train_memory *m, const state *s, int64_t t) {
  return s->set + t % m->history * m->most;
}

void train_memory_begin(train_memory *m, int64_t session) {
  const state s = state_of(m, session);
  memset(train_memory_state(m, session), 0, m->bytes);
  for (int64_t i = 0; i < m->history * m->most; i++) s.set[i] = -1;
}

void train_memory_move(train_memory *m, int64_t session, int64_t t, const float *action) {
  const state s = state_of(m, session);
  if (!m->moves) return;
  const train_pose from = t > 0 ? s.path[(t - 1) % m->past] : (train_pose){0};
  s.path[t % m->past] = action && t > 0 ? train_pose_after(m->moves, from, action) : from;
}

const int32_t *train_memory_seen(const train_memory *m, int64_t session, int64_t t) {
  const state s = state_of(m, session);
  const int32_t *set = set_of(m, &s, t);
  int64_t n = 0;
  if (!m->moves) return set;
  const train_pose now = s.path[t % m->past];
  for (int64_t i = 0; i < m->most && set[i] >= 0; i++)
    if (train_pose_overlap(now, s.pose[set[i]]) >= TRAIN_MEMORY_SHOWN) m->shown[n++] = set[i];
  for (; n < m->most; n++) m->shown[n] = -1;
  return m->shown;
}

int64_t train_memory_frames(const train_memory *m, int64_t session, int64_t t, int64_t *frames) {
  const state s = state_of(m, session);
  const int32_t *set = set_of(m, &s, t);
  int64_t n = 0;
  for (; n < m->most && set[n] >= 0; n++) frames[n] = s.frame[set[n]];
  return n;
}

// A slot that no frame sees which the session can still be taken back to.
static int32_t free_slot(const train_memory *m, const state *s, int64_t t) {
  for (int32_t slot = 0; slot < m->slots; slot++) {
    bool used = false;
    for (int64_t back = 0; back <= m->ahead && back <= t; back++) {
      const int32_t *set = set_of(m, s, t - back);
      for (int64_t i = 0; i < m->most && set[i] >= 0; i++) used = used || set[i] == slot;
    }
    if (!used) return slot;
  }
  return -1; // there are ahead + 2 more slots than frames that one sees
}

int32_t train_memory_leaving(const train_memory *m, int64_t session, int64_t t, int64_t *frame) {
  const state s = state_of(m, session);
  *frame = t + 1 - m->window;
  return *frame >= 1 ? free_slot(m, &s, t) : -1;
}

static int64_t alike(const train_memory *m, const state *s, int32_t a, int32_t b) {
  int64_t n = 0;
  for (int64_t i = 0; i < m->S; i++) n += s->codes[a * m->S + i] == s->codes[b * m->S + i];
  return n;
}

// The one whose view the others show most; of equal ones the oldest. (Of the two that overlap most
// the older one would not do: where somebody turns evenly all neighbours overlap alike, and what
// stays would be the last frames.)
static int64_t most_shown(const state *s, const int32_t *of, int64_t n) {
  double most = -1;
  int64_t which = 0;
  for (int64_t i = 0; i < n; i++) {
    double sum = 0;
    for (int64_t j = 0; j < n; j++)
      if (j != i) sum += train_pose_overlap(s->pose[of[i]], s->pose[of[j]]);
    if (sum > most + 1e-6) {
      most = sum;
      which = i;
    }
  }
  return which;
}

// Which of the n frames in slots `of`, the oldest first, goes.
static int64_t surplus(const train_memory *m, const state *s, const int32_t *of, int64_t n) {
  int64_t most = -1, which = 0;
  if (m->moves) return most_shown(s, of, n);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = i + 1; j < n; j++) {
      const int64_t like = alike(m, s, of[i], of[j]);
      if (like > most) {
        most = like;
        which = i;
      }
    }
  return which;
}

void train_memory_append(train_memory *m, int64_t session, int64_t t, const int32_t *tokens) {
  const state s = state_of(m, session);
  const int32_t *now = set_of(m, &s, t);
  int32_t *next = set_of(m, &s, t + 1);
  int64_t frame, n = 0, out = 0;
  int32_t all[TRAIN_MEMORY_MOST + 1];
  const int32_t slot = train_memory_leaving(m, session, t, &frame);
  for (; n < m->most && now[n] >= 0; n++) all[n] = now[n];
  if (slot >= 0) {
    s.frame[slot] = frame;
    s.pose[slot] = s.path[frame % m->past];
    memcpy(s.codes + slot * m->S, s.past + frame % m->past * m->S, (size_t)m->S * sizeof *s.codes);
    all[n++] = slot;
  }
  const int64_t drop = n > m->most ? surplus(m, &s, all, n) : -1;
  for (int64_t i = 0; i < n; i++)
    if (i != drop) next[out++] = all[i];
  for (; out < m->most; out++) next[out] = -1;
  memcpy(s.past + t % m->past * m->S, tokens, (size_t)m->S * sizeof *s.past);
}
