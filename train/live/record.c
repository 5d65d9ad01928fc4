#include "train/live/record.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_ROOM = 64 };

static train_record_run *run_at(const train_record *r, int64_t i) {
  return (train_record_run *)(void *)(r->runs + (size_t)i * r->run_bytes);
}

const train_record_run *train_record_run_at(const train_record *r, int64_t i) {
  return run_at(r, i);
}

orr_code train_record_begin(train_record *r, const int32_t *tokens, const float *prompt_actions,
                            size_t most_bytes) {
  const size_t codes = (size_t)(r->prompt * r->S), actions = (size_t)((r->prompt - 1) * r->A);
  r->run_bytes = (sizeof(train_record_run) + (size_t)r->A * sizeof(float) + 7) / 8 * 8;
  r->most_runs = (int64_t)(most_bytes / r->run_bytes);
  r->tokens = orr_malloc(codes * sizeof *r->tokens);
  r->prompt_actions = orr_malloc(actions * sizeof *r->prompt_actions);
  ORR_CHECK(r->tokens && r->prompt_actions, ORR_ENOMEM, "session: out of memory");
  memcpy(r->tokens, tokens, codes * sizeof *tokens);
  memcpy(r->prompt_actions, prompt_actions, actions * sizeof *prompt_actions);
  return ORR_OK;
}

void train_record_release(train_record *r) {
  json_decref(r->mapping);
  json_decref(r->start);
  orr_free(r->digests);
  orr_free(r->runs);
  orr_free(r->prompt_actions);
  orr_free(r->tokens);
  *r = (train_record){0};
}

static orr_code grow_runs(train_record *r) {
  int64_t room = r->run_room ? 2 * r->run_room : FIRST_ROOM;
  if (room > r->most_runs) room = r->most_runs;
  ORR_CHECK(r->run_count < room, ORR_ENOMEM,
            "session of %" PRId64 " changes of action is as long as it may be: save it and begin "
            "another",
            r->run_count);
  unsigned char *runs = orr_realloc(r->runs, (size_t)room * r->run_bytes);
  ORR_CHECK(runs, ORR_ENOMEM, "session: out of memory");
  r->runs = runs;
  r->run_room = room;
  return ORR_OK;
}

static orr_code grow_digests(train_record *r) {
  const int64_t room = r->digest_room ? 2 * r->digest_room : FIRST_ROOM;
  uint64_t *digests = orr_realloc(r->digests, (size_t)room * sizeof *digests);
  ORR_CHECK(digests, ORR_ENOMEM, "session: out of memory");
  r->digests = digests;
  r->digest_room = room;
  return ORR_OK;
}

orr_hash128 train_record_link(orr_hash128 chain, orr_hash128 frame) {
  const orr_hash128 both[2] = {chain, frame};
  return orr_hash_bytes(both, sizeof both);
}

bool train_record_is_full(const train_record *r) {
  return r->run_count >= r->most_runs || r->frames >= TRAIN_RECORD_MOST_FRAMES;
}

orr_code train_record_hold(train_record *r, const float *action, int64_t frames) {
  const size_t bytes = (size_t)r->A * sizeof *action;
  train_record_run *last = r->run_count ? run_at(r, r->run_count - 1) : NULL;
  if (!last || memcmp(last->v, action, bytes) != 0) {
    if (r->run_count == r->run_room) ORR_TRY(grow_runs(r));
    last = run_at(r, r->run_count++);
    memcpy(last->v, action, bytes);
  }
  r->frames += frames;
  last->end = r->frames;
  return ORR_OK;
}

orr_code train_record_add(train_record *r, const float *action, orr_hash128 hash) {
  const int64_t digests = (r->frames + 1) / TRAIN_RECORD_DIGEST_EVERY;
  const bool digested = (r->frames + 1) % TRAIN_RECORD_DIGEST_EVERY == 0;
  if (digested && digests > r->digest_room) ORR_TRY(grow_digests(r));
  ORR_TRY(train_record_hold(r, action, 1));
  r->chain = train_record_link(r->chain, hash);
  if (digested) r->digests[digests - 1] = r->chain.lo;
  return ORR_OK;
}

// The run that holds frame i.
static int64_t find_run(const train_record *r, int64_t i) {
  int64_t first = 0, end = r->run_count - 1;
  while (first < end) {
    const int64_t middle = (first + end) / 2;
    if (run_at(r, middle)->end > i)
      end = middle;
    else
      first = middle + 1;
  }
  return first;
}

const float *train_record_action(const train_record *r, int64_t i) {
  return run_at(r, find_run(r, i))->v;
}

void train_record_cut(train_record *r, int64_t frames, orr_hash128 chain) {
  r->frames = frames;
  r->chain = chain;
  r->run_count = frames ? find_run(r, frames - 1) + 1 : 0;
  if (frames) run_at(r, r->run_count - 1)->end = frames;
}
