// `orrery rollout`: one rollout as a film (docs/evaluation.md). Local. ORR_EINVAL when model,
// tokenizer and data set do not fit together, ORR_EFORMAT for a bad file of actions.
#include "train/cli/cmd.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/pictures/film.h"
#include "base/args.h"
#include "train/cli/decoding_args.h"
#include "train/cli/action_file.h"
#include "train/cli/rollout_film.h"
#include "train/cli/rollout_session.h"
#include "train/engine/engine.h"
#include "train/infer/carry.h"
#include "train/infer/episodes.h"
#include "train/infer/moves.h"
#include "train/setup/remote_data.h"
#include "train/setup/run_data.h"
#include "train/infer/world_model.h"

static const orr_option options[] = {
    {"data", "DIR|URL", "data set with frames, for the prompt and the actions", 0},
    {"clip", "N", "episode that the prompt is taken from (default 0)", 0},
    {"start", "N", "its frame that the prompt begins at, from 0 (default 0)", 0},
    {"frames", "N", "frames to roll out after the prompt (default 32, at most 1000000)", 0},
    {"actions", "FILE",
     "actions to follow, a line a frame (or a .csv with names, .jsonl, .parquet); the last is held",
     0},
    {"out", "FILE", "film to write: .mp4, .gif or .png", 0},
    {"session", "FILE",
     "a session of orrery play once more, in place of --data and what follows it", 0},
    {"hashes", "FILE", "with --session: write the number and the hash of every frame there", 0},
    {"anyway", NULL, "with --session: also one of another checkpoint, whose frames will differ", 0},
    {"surprise", "FILE",
     "write how surprised the model is at each of its frames, a line of JSON a frame", 0},
    {"beside", NULL, "real frames on the left (in a .png above), as long as the episode lasts", 0},
    {"scale", "N", "enlarges every pixel (default 4)", 0},
    {"prompt", "N", "frames given", 0},
    TRAIN_DECODING_OPTIONS,
    {"memory", "N", "frames that stay when they leave the window, those least alike", 0},
    {"memory-by", "likeness|pose", "what is alike: codes, or poses that actions add up to", 0},
    {"guidance", "W", "how much more the action counts; 0 = as in training", 0},
    TRAIN_WORLD_MODEL_OPTIONS,
    TRAIN_REMOTE_OPTION,
    {0}};
static const orr_command command = {
    "rollout", "CHECKPOINT", 1, 1, "Lets a world model run on under given actions.", options};

typedef struct {
  int64_t clip, start, frames, prompt, scale;
  const char *data, *out, *actions, *surprise;
  bool beside;
  int64_t window;
  train_engine_settings settings;
  double guidance; // train_engine_options
  int64_t memory;  // likewise
  bool by_pose;    // what it keeps
  bool carry;      // train/infer/carry.h
} request;

typedef struct {
  request q;
  train_world_model m;
  data_remote *remote;
  train_episodes *episodes;
  train_codec *codec;
  train_engine *engine;
  int64_t known; // frames read of the episode, data.stride apart
  uint8_t *real; // [known,height,width,3]
  float *raw;    // [rows,A_set] actions, row t led from frame t to t+1
  int64_t rows, A_set;
  bool another;    // than the episode's own
  int32_t *tokens; // [prompt+frames,S]
  uint8_t *film;   // [prompt+frames,height,width,3]
  double *nats;    // [frames] how surprising each one was when it was drawn, a token
} rollout;

static orr_code read_request(const orr_args *a, const cfg *c, request *q) {
  q->frames = 32;
  q->scale = 4;
  q->prompt = c->eval.prompt;
  ORR_TRY(train_decoding_args(a, c, &q->settings));
  q->guidance = c->eval.guidance;
  q->memory = c->eval.memory;
  q->by_pose = c->eval.memory_by == CFG_MEMORY_BY_POSE;
  q->beside = orr_args_flag(a, "beside");
  q->actions = orr_args_text(a, "actions", NULL);
  q->surprise = orr_args_text(a, "surprise", NULL);
  ORR_TRY(orr_args_i64(a, "clip", 0, INT64_MAX, &q->clip));
  ORR_TRY(orr_args_i64(a, "start", 0, INT64_MAX, &q->start));
  ORR_TRY(orr_args_i64(a, "frames", 1, 1000000, &q->frames));
  ORR_TRY(orr_args_i64(a, "scale", 1, 64, &q->scale));
  ORR_TRY(orr_args_i64(a, "prompt", 1, 65536, &q->prompt));
  ORR_TRY(orr_args_i64(a, "memory", 0, 1024, &q->memory));
  ORR_TRY(train_memory_by_args(a, &q->by_pose));
  ORR_TRY(train_carry_args(a, c, &q->carry));
  ORR_TRY(orr_args_f64(a, "guidance", 0.0, 100.0, &q->guidance));
  q->window = train_engine_window(c, q->prompt + q->frames);
  q->settings.sample = (uint64_t)q->clip;
  return ORR_OK;
}

// Whether the real frames after the prompt were led to by other actions than the n given, of which
// the last is held.
static bool differ(const rollout *r, const float *v, int64_t n) {
  const int64_t given = r->q.prompt - 1;
  for (int64_t t = given; t < r->rows; t++) {
    const int64_t from = t - given < n ? t - given : n - 1;
    if (memcmp(r->raw + t * r->A_set, v + from * r->A_set, (size_t)r->A_set * sizeof *v) != 0)
      return true;
  }
  return false;
}

// Actions from the file are those after the prompt; the prompt keeps its own.
static orr_code read_actions(rollout *r) {
  if (!r->q.actions) return ORR_OK;
  float *v = NULL, *all = NULL;
  int64_t n = 0;
  const int64_t given = r->q.prompt - 1;
  ORR_TRY(train_action_file_read(r->q.actions, train_episodes_index(r->episodes), &v, &n));
  all = orr_malloc((size_t)((given + n) * r->A_set) * sizeof *all);
  if (!all) {
    orr_free(v);
    return ORR_FAIL(ORR_ENOMEM, "%s: out of memory", r->q.actions);
  }
  memcpy(all, r->raw, (size_t)(given * r->A_set) * sizeof *all);
  memcpy(all + given * r->A_set, v, (size_t)(n * r->A_set) * sizeof *all);
  r->another = differ(r, v, n);
  orr_free(v);
  orr_free(r->raw);
  r->raw = all;
  r->rows = given + n;
  return ORR_OK;
}

static orr_code read_episode(rollout *r) {
  const data_shard_format *f = &train_episodes_index(r->episodes)->format;
  const int64_t total = r->q.prompt + r->q.frames, pixels = f->height * f->width;
  const int64_t stride = r->m.dynamics->c->data.stride;
  int64_t length;
  ORR_TRY(train_episodes_length(r->episodes, r->q.clip, r->q.start, stride, &length));
  ORR_CHECK(length >= r->q.prompt, ORR_EINVAL,
            "%s: episode %" PRId64 " has %" PRId64 " frames from frame %" PRId64
            " on (at stride %" PRId64 "), fewer than the prompt's %" PRId64
            ": take another --clip, a smaller --start or a shorter --prompt",
            r->q.data, r->q.clip, length, r->q.start, stride, r->q.prompt);
  r->known = length < total ? length : total;
  r->A_set = f->A;
  r->real = orr_malloc((size_t)(r->known * pixels * 3));
  r->raw = orr_malloc((size_t)(r->known * r->A_set) * sizeof *r->raw);
  r->tokens = orr_malloc((size_t)(total * r->m.dynamics->dynamics.S) * sizeof *r->tokens);
  r->film = orr_malloc((size_t)(total * pixels * 3));
  r->nats = orr_malloc((size_t)r->q.frames * sizeof *r->nats);
  ORR_CHECK(r->real && r->raw && r->tokens && r->film && r->nats, ORR_ENOMEM,
            "rollout of %" PRId64 " frames: out of memory", total);
  ORR_TRY(train_episodes_read(r->episodes, r->q.clip, r->q.start, r->known, stride, r->real, r->raw,
                              NULL));
  r->rows = r->known - 1;
  ORR_TRY(read_actions(r));
  ORR_CHECK(r->rows > 0, ORR_EINVAL,
            "%s: episode %" PRId64 " has one frame from frame %" PRId64
            " on and no action to follow: take another --clip or --start, or give --actions",
            r->q.data, r->q.clip, r->q.start);
  return ORR_OK;
}

static orr_code roll(rollout *r, int32_t branch) {
  const int64_t A = r->m.dynamics->dynamics.A, S = r->m.dynamics->dynamics.S,
                total = r->q.prompt + r->q.frames;
  float *action = orr_calloc((size_t)(2 * A), sizeof *action);
  ORR_CHECK(action, ORR_ENOMEM, "rollout: out of memory");
  for (int64_t a = 0; a < r->A_set; a++) action[A + a] = 1.0f;
  orr_code rc = train_engine_begin(r->engine, 0, &r->q.settings);
  for (int64_t t = 0; t < total && rc == ORR_OK; t++) {
    const bool has = t > 0;
    const int64_t row = t - 1 < r->rows ? t - 1 : r->rows - 1; // the last action is held
    if (has) memcpy(action, r->raw + row * r->A_set, (size_t)r->A_set * sizeof *action);
    train_engine_frame f = {
        .branch = branch, .has_action = has, .action = action, .tokens = r->tokens + t * S};
    rc =
        t < r->q.prompt ? train_engine_push(r->engine, &f, 1) : train_engine_next(r->engine, &f, 1);
    if (t >= r->q.prompt) r->nats[t - r->q.prompt] = f.nll / (double)S;
    if (t >= r->q.prompt)
      orr_progress(t + 1 == total, "rollout: frame %" PRId64 " of %" PRId64, t + 1 - r->q.prompt,
                   r->q.frames);
  }
  orr_free(action);
  return rc;
}

// The film runs at the speed of the data.
static double film_fps(const rollout *r) {
  return train_episodes_index(r->episodes)->format.fps / (double)r->m.dynamics->c->data.stride;
}

// A line of JSON a frame; the film's frames count from the prompt's first on.
static orr_code write_surprise(const rollout *r) {
  enum { LINE = 80 };
  double sum = 0;
  for (int64_t k = 0; k < r->q.frames; k++) sum += r->nats[k];
  ORR_INFO("rollout: surprise %.4f nats a token", sum / (double)r->q.frames);
  if (!r->q.surprise) return ORR_OK;
  char *text = orr_malloc((size_t)r->q.frames * LINE);
  ORR_CHECK(text, ORR_ENOMEM, "%s: out of memory", r->q.surprise);
  size_t used = 0;
  for (int64_t k = 0; k < r->q.frames; k++)
    used += (size_t)snprintf(text + used, LINE, "{\"frame\": %" PRId64 ", \"surprise\": %.9g}\n",
                             r->q.prompt + k, r->nats[k]);
  const orr_code rc = orr_fs_write_atomic(r->q.surprise, text, used);
  orr_free(text);
  return rc;
}

static orr_code decode_film(rollout *r) {
  const int64_t last = r->q.prompt - 1, S = r->m.dynamics->dynamics.S;
  const data_shard_format *f = &train_episodes_index(r->episodes)->format;
  const int64_t bytes = f->height * f->width * 3;
  train_carry carry;
  ORR_TRY(train_codec_decode(r->codec, r->tokens, r->q.prompt + r->q.frames, r->film));
  if (!r->q.carry) return ORR_OK;
  ORR_TRY(train_carry_create(r->m.tokenizer, r->codec, &carry));
  const orr_code rc = train_carry_begin(&carry, r->real + last * bytes, r->tokens + last * S);
  if (rc == ORR_OK)
    train_carry_on(&carry, r->tokens + r->q.prompt * S, r->q.frames, r->film + r->q.prompt * bytes);
  train_carry_release(&carry);
  return rc;
}

static orr_code run(rollout *r) {
  const data_shard_format *f = &train_episodes_index(r->episodes)->format;
  const train_loaded_model *d = r->m.dynamics;
  int32_t branch;
  train_pose_moves moves;
  ORR_TRY(train_branch_id(d->c, f->branch, &branch));
  ORR_TRY(read_episode(r));
  const bool by_pose = r->q.memory && r->q.by_pose &&
                       train_moves_of(train_episodes_index(r->episodes), d->c->data.stride, &moves);
  ORR_TRY(train_codec_create(r->m.tokenizer, 16, &r->codec));
  ORR_TRY(train_codec_encode(r->codec, r->real, r->q.prompt, r->tokens));
  ORR_TRY(train_engine_create(r->m.k, &d->dynamics, &d->dynamics_p, &d->state.weights,
                              &(train_engine_options){.sessions = 1,
                                                      .batch = 1,
                                                      .window = r->q.window,
                                                      .steps = r->q.settings.steps,
                                                      .memory = r->q.memory,
                                                      .moves = by_pose ? &moves : NULL,
                                                      .guidance = r->q.guidance},
                              &r->engine));
  const double begin = orr_clock_ms();
  ORR_TRY(roll(r, branch));
  ORR_INFO("rollout: %.1f frames/s", 1e3 * (double)r->q.frames / (orr_clock_ms() - begin));
  ORR_TRY(write_surprise(r));
  ORR_TRY(decode_film(r));
  if (r->q.beside && r->another)
    ORR_INFO("rollout: --actions are not those of the episode: the real frames beside show another "
             "future");
  return train_rollout_film_write(&(train_rollout_film){.height = f->height,
                                                        .width = f->width,
                                                        .scale = r->q.scale,
                                                        .prompt = r->q.prompt,
                                                        .frames = r->q.prompt + r->q.frames,
                                                        .film = r->film,
                                                        .real = r->q.beside ? r->real : NULL,
                                                        .known = r->known,
                                                        .another = r->another,
                                                        .episode = r->q.clip,
                                                        .start = r->q.start,
                                                        .fps = film_fps(r)},
                                  r->q.out);
}

orr_code train_cmd_rollout(int argc, char **argv) {
  orr_args args;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  const char *session = orr_args_text(&args, "session", NULL);
  if (session) return train_rollout_session(&args, args.operand[0], session);
  rollout r = {0};
  orr_code rc;
  ORR_TRY(orr_args_require(&args, "data", &r.q.data));
  ORR_TRY(orr_args_require(&args, "out", &r.q.out));
  ORR_TRY(data_film_format_of(r.q.out, &(data_film_format){0})); // before the work, not after it
  ORR_TRY(train_remote_create_args(&args, &r.remote));
  ORR_TRY_GOTO(train_episodes_open(r.q.data, r.remote, &r.episodes), out);
  ORR_TRY_GOTO(train_world_model_open(&args, args.operand[0], &r.m), out);
  ORR_TRY_GOTO(train_world_model_fits(&r.m, train_episodes_index(r.episodes)), out);
  ORR_TRY_GOTO(read_request(&args, r.m.dynamics->c, &r.q), out);
  rc = run(&r);
out:
  train_engine_destroy(r.engine);
  train_codec_destroy(r.codec);
  orr_free(r.nats);
  orr_free(r.film);
  orr_free(r.tokens);
  orr_free(r.raw);
  orr_free(r.real);
  train_world_model_close(&r.m);
  train_episodes_close(r.episodes);
  data_remote_destroy(r.remote);
  return rc;
}
