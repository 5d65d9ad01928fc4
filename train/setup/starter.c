// The recipe of docs/recipe.md. Sizes come from a ladder: the largest model that sees enough steps
// in the time is taken, and gets as many steps as fit.
#include "train/setup/starter.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "train/model/dynamics_dims.h"
#include "train/model/tokenizer.h"
#include "train/timing/forecast.h"

enum {
  ENOUGH_CODES = 1500, // steps after which a tokenizer's pictures are good
  ENOUGH_MOVES = 5000, // steps that a model of a small data set learns most of it in
  FEWEST = 100,        // below this nothing is learned
  MOST = 200000,       //
  EPOCHS = 100,        // more of them learn the clips by heart
  PATCH_LEAST = 4,     //
  PATCH_MOST = 16,     //
  TOKENS = 64,         // a frame, about: as many as in the small configurations
  CLIP_FRAMES = 16,    //
  NARROW = 128,        // below it what mfu does not count (Muon, attention) weighs more
};

typedef struct {
  int64_t width, heads, hidden, layers, time_every;
  int64_t batch; // frames or clips a step: few, while the number of updates is what counts
  double lr;
} size;

// Head widths of 32; the last rungs are for devices.
static const size tokenizers[] = {{64, 2, 192, 2, 0, 16, 2e-3},
                                  {128, 4, 384, 2, 0, 16, 2e-3},
                                  {192, 6, 576, 3, 0, 16, 1.5e-3},
                                  {256, 8, 768, 4, 0, 16, 1e-3},
                                  {384, 12, 1152, 6, 0, 16, 1e-3}},
                  dynamics[] = {{64, 2, 192, 6, 2, 2, 3e-3},     {96, 3, 288, 6, 2, 2, 2.5e-3},
                                {128, 4, 384, 6, 2, 2, 2e-3},    {192, 6, 576, 6, 2, 4, 2e-3},
                                {256, 8, 768, 8, 4, 8, 1.5e-3},  {384, 12, 1024, 12, 4, 8, 1e-3},
                                {512, 16, 1408, 16, 4, 8, 1e-3}, {768, 24, 2048, 24, 4, 8, 1e-3}};

static bool is_dynamics(const train_starter *s) {
  return s->stage == CFG_STAGE_DYNAMICS;
}

// -- what the data decides ------------------------------------------------------------------

static int64_t longest_episode(const data_index *x) {
  int64_t most = 0;
  for (int64_t i = 0; i < x->count; i++)
    for (int64_t k = 0; k < x->shards[i].length_count; k++)
      if (x->shards[i].lengths[k][0] > most) most = x->shards[i].lengths[k][0];
  return most;
}

// The side that divides both and gives about TOKENS patches; 0 when none does.
static int64_t patch_for(int64_t height, int64_t width) {
  int64_t best = 0;
  double off = INFINITY;
  for (int64_t p = PATCH_LEAST; p <= PATCH_MOST; p++) {
    if (height % p || width % p) continue;
    const double d = fabs(log((double)(height / p * (width / p)) / TOKENS));
    if (d < off) off = d, best = p;
  }
  return best;
}

static orr_code fit_frames(const train_starter *s, cfg *c) {
  const data_shard_format *f = &s->set->format;
  ORR_CHECK(f->height > 0, ORR_EINVAL,
            "%s holds tokens only, wanted frames: name the data set that it was made from",
            s->data);
  const int64_t p = patch_for(f->height, f->width);
  ORR_CHECK(p > 0, ORR_EINVAL,
            "%s: frames of %" PRId64 " x %" PRId64
            " are not divisible by a patch of %d to %d pixels: import with --size, such as 64x64",
            s->data, f->height, f->width, PATCH_LEAST, PATCH_MOST);
  c->tokenizer.patch = p;
  c->tokenizer.rows = f->height / p;
  c->tokenizer.cols = f->width / p;
  c->data.frames = 1;
  return ORR_OK;
}

static orr_code copy_levels(const cfg *from, cfg *c) {
  char text[256] = "tokenizer.levels=[";
  for (int i = 0; i < from->tokenizer.levels.n; i++) {
    const size_t at = strlen(text);
    snprintf(text + at, sizeof text - at, "%s%" PRId64, i ? ", " : "", from->tokenizer.levels.v[i]);
  }
  strncat(text, "]", sizeof text - strlen(text) - 1);
  return cfg_set(c, text);
}

static orr_code set_text(cfg *c, const char *key, const char *value) {
  char text[ORR_PATH_MAX + 64];
  snprintf(text, sizeof text, "%s=%s", key, value);
  return cfg_set(c, text);
}

static orr_code fit_tokens(const train_starter *s, cfg *c) {
  const data_shard_format *f = &s->set->format;
  const cfg *t = s->tokenizer;
  train_tokenizer_dims d;
  ORR_CHECK(f->S > 0, ORR_EINVAL,
            "%s holds frames only, wanted tokens: run `orrery data tokenize` on it first", s->data);
  train_tokenizer_dims_from(t, &d);
  ORR_CHECK(d.S == f->S && train_tokenizer_codes(&d) == f->codes, ORR_EINVAL,
            "%s: %" PRId64 " tokens a frame of %" PRId64
            " codes, but the tokenizer %s makes %" PRId64 " of %" PRId64
            ": name the one that made them by --tokenizer",
            s->data, f->S, f->codes, s->checkpoint, d.S, train_tokenizer_codes(&d));
  const int64_t longest = longest_episode(s->set);
  ORR_CHECK(longest >= 2, ORR_EINVAL,
            "%s: no episode has two frames: dynamics is learned from one to the next", s->data);
  c->model.rows = c->tokenizer.rows = t->tokenizer.rows;
  c->model.cols = c->tokenizer.cols = t->tokenizer.cols;
  c->model.codes = f->codes;
  c->model.actions = f->A ? f->A : 1;
  c->data.frames = longest < CLIP_FRAMES ? longest : CLIP_FRAMES;
  if (c->eval.prompt >= longest) c->eval.prompt = longest - 1;
  char branch[512];
  snprintf(branch, sizeof branch, "[\"%s\"]", f->branch);
  ORR_TRY(set_text(c, "model.branches", branch));
  ORR_TRY(set_text(c, "tokenizer.checkpoint", s->checkpoint));
  return copy_levels(t, c);
}

// -- what the time decides ------------------------------------------------------------------

static void take_size(const train_starter *s, const size *z, cfg *c) {
  c->train.batch = z->batch;
  c->optim.lr_peak = z->lr;
  if (is_dynamics(s)) {
    c->model.width = z->width;
    c->model.heads = c->model.kv_heads = z->heads;
    c->model.hidden = z->hidden;
    c->model.layers = z->layers;
    c->model.time_every = z->time_every;
    return;
  }
  c->tokenizer.width = z->width;
  c->tokenizer.heads = c->tokenizer.kv_heads = z->heads;
  c->tokenizer.hidden = z->hidden;
  c->tokenizer.layers = z->layers;
}

static double step_s(const train_starter *s, const cfg *c) {
  double flops;
  if (is_dynamics(s)) {
    train_dynamics_dims d;
    train_dynamics_dims_from(c, &d);
    flops = train_dynamics_flops(&d, c->train.batch, c->data.frames);
  } else {
    train_tokenizer_dims d;
    train_tokenizer_dims_from(c, &d);
    flops = (double)(c->train.batch * c->data.frames) * train_tokenizer_flops(&d);
  }
  const int64_t width = is_dynamics(s) ? c->model.width : c->tokenizer.width;
  return train_forecast_step_s(flops, s->rate) * (width < NARROW ? 1.25 : 1.0);
}

// Down to two digits.
static int64_t round_steps(double steps) {
  int64_t n = steps < MOST ? (int64_t)steps : MOST, unit = 1;
  while (n / unit >= 100) unit *= 10;
  return n / unit * unit;
}

static orr_code fit_time(const train_starter *s, cfg *c) {
  const size *ladder = is_dynamics(s) ? dynamics : tokenizers;
  const int64_t enough = is_dynamics(s) ? ENOUGH_MOVES : ENOUGH_CODES;
  int rung = (int)(is_dynamics(s) ? sizeof dynamics : sizeof tokenizers) / (int)sizeof *ladder;
  double steps;
  do {
    take_size(s, &ladder[--rung], c);
    steps = 60 * s->minutes / step_s(s, c);
  } while (rung > 0 && steps < (double)enough);
  const double seen = (double)(c->train.batch * c->data.frames),
               most = fmax(FEWEST, (double)s->set->frames * EPOCHS / seen);
  ORR_CHECK(steps >= FEWEST, ORR_EINVAL,
            "--minutes %g: %.0f steps of the smallest model on this machine, wanted at least %d: "
            "give it more time",
            s->minutes, floor(steps), FEWEST);
  c->train.steps = round_steps(fmin(steps, most));
  return ORR_OK;
}

static orr_code check_time(const train_starter *s) {
  ORR_CHECK(s->rate > 0 && s->minutes > 0, ORR_EINVAL, "--minutes %g: wanted more than 0",
            s->minutes);
  return ORR_OK;
}

// Of the dynamics model: what is learned early, and frames as the likeliest codes have them.
static void take_recipe(cfg *c) {
  c->optim.digit_share = 0.5;
  c->model.before = true;
  c->model.digits = true;
  c->model.change_weight = 3.0;
  c->model.full_mask = 0.05;
  c->model.corrupt = 0.05;
  c->model.action_drop = 0.05;
  c->eval.steps = 2;
  c->eval.temperature = 0.5;
  c->eval.choice_temperature = 0.5;
  c->eval.carry = true;
}

static void take_tokenizer_recipe(cfg *c) {
  c->optim.weight_decay = 0.0;
  c->tokenizer.patchwise = true;
  c->tokenizer.l2 = 1.0;
  c->tokenizer.l1 = 0.0;
}

orr_code train_starter_choose(const train_starter *s, cfg *c) {
  char list[ORR_PATH_MAX + 8];
  ORR_TRY(check_time(s));
  c->train.stage = s->stage;
  ORR_TRY(is_dynamics(s) ? fit_tokens(s, c) : fit_frames(s, c));
  snprintf(list, sizeof list, "[\"%s\"]", s->data);
  ORR_TRY(set_text(c, "data.train", list));
  ORR_TRY(set_text(c, "run.dir", is_dynamics(s) ? "runs/dynamics" : "runs/tokenizer"));
  ORR_TRY(fit_time(s, c));
  const int64_t steps = c->train.steps;
  c->optim.optimizer = CFG_OPTIMIZER_MUON;
  c->optim.lr_final = 0.02;
  c->optim.warmup_steps = steps / 20 < 100 ? steps / 20 : 100;
  c->optim.decay_steps = steps * 2 / 5;
  c->optim.ema_decay = 0.99;
  if (is_dynamics(s))
    take_recipe(c);
  else
    take_tokenizer_recipe(c);
  c->ckpt.every = steps / 4;
  return cfg_check(c);
}

// -- the text -------------------------------------------------------------------------------

typedef struct {
  FILE *out;
  const cfg *c;
  char section[32];
} writer;

// A row with its value, in its section; comment NULL = none.
static void put(writer *w, const char *key, const char *comment) {
  const int n = (int)strcspn(key, ".");
  char *value = NULL;
  size_t bytes = 0;
  FILE *f = open_memstream(&value, &bytes);
  if (f) cfg_print_row(w->c, key, f);
  if (f) fclose(f);
  if (strncmp(w->section, key, (size_t)n) != 0 || w->section[n])
    fprintf(w->out, "\n%.*s:\n", n, key);
  snprintf(w->section, sizeof w->section, "%.*s", n, key);
  const int used = fprintf(w->out, "  %s: %s", key + n + 1, value ? value : "");
  if (comment) fprintf(w->out, "%*s# %s", used < 24 ? 24 - used : 2, "", comment);
  fputc('\n', w->out);
  free(value); // the C library's
}

static void put_common(writer *w, const train_starter *s) {
  char words[128], time[32];
  train_forecast_words(step_s(s, w->c) * (double)w->c->train.steps, time, sizeof time);
  snprintf(words, sizeof words, "about %s on that machine", time);
  put(w, "run.dir", NULL);
  put(w, "train.stage", NULL);
  put(w, "train.steps", words);
  put(w, "train.batch",
      is_dynamics(s) ? "clips a step, over all ranks" : "frames a step, over all ranks");
  put(w, "optim.optimizer", "worth what it costs (docs/recipe.md)");
  put(w, "optim.lr_peak", "halve it when the loss jumps");
  put(w, "optim.lr_final", NULL);
  put(w, "optim.warmup_steps", NULL);
  put(w, "optim.decay_steps", "of the end: to prolong a run, raise train.steps before they begin");
  put(w, "optim.ema_decay", "average of the weights, which eval and rollout use");
  if (is_dynamics(s))
    put(w, "optim.digit_share", "rare codes, most of what moves, learn from their kin");
  else
    put(w, "optim.weight_decay", NULL);
}

static void put_tokenizer(writer *w, const train_starter *s) {
  const data_shard_format *f = &s->set->format;
  char words[128];
  put(w, "data.train", NULL);
  put(w, "data.frames", "pictures stand for themselves here");
  snprintf(words, sizeof words,
           "pixels: %" PRId64 " x %" PRId64 " patches make a frame of %" PRId64 " x %" PRId64,
           w->c->tokenizer.rows, w->c->tokenizer.cols, f->height, f->width);
  put(w, "tokenizer.patch", words);
  put(w, "tokenizer.rows", NULL);
  put(w, "tokenizer.cols", NULL);
  put(w, "tokenizer.levels", "1000 codes; more levels: finer pictures, a harder stage 2");
  put(w, "tokenizer.width", "the largest that learns enough in this time");
  put(w, "tokenizer.heads", NULL);
  put(w, "tokenizer.kv_heads", NULL);
  put(w, "tokenizer.hidden", NULL);
  put(w, "tokenizer.layers", NULL);
  put(w, "tokenizer.patchwise", "a code changes where its own patch does");
  put(w, "tokenizer.l2", "squared error: the right brightness");
  put(w, "tokenizer.l1", "absolute error: sharp edges");
}

static void put_dynamics(writer *w, const train_starter *s) {
  char words[128];
  snprintf(words, sizeof words, "%.1f s of the recordings; the model sees this far back",
           (double)w->c->data.frames / s->set->format.fps);
  put(w, "data.train", NULL);
  put(w, "data.frames", words);
  put(w, "tokenizer.checkpoint", "made these tokens");
  put(w, "tokenizer.rows", NULL);
  put(w, "tokenizer.cols", NULL);
  put(w, "tokenizer.levels", NULL);
  put(w, "model.rows", "the tokenizer's");
  put(w, "model.cols", NULL);
  put(w, "model.codes", "product of its levels");
  put(w, "model.actions",
      s->set->format.A ? "components of the data set's actions"
                       : "the data set has none; 1 is the least");
  put(w, "model.branches", "the data set's; more data sets may bring more");
  put(w, "model.width", "the largest that learns enough in this time");
  put(w, "model.heads", NULL);
  put(w, "model.kv_heads", NULL);
  put(w, "model.hidden", NULL);
  put(w, "model.layers", NULL);
  put(w, "model.time_every", "every so many blocks one looks back in time");
  put(w, "model.before", "most of a frame is what stood there one frame earlier");
  put(w, "model.digits", "codes that differ little start alike");
  put(w, "model.change_weight", "what moves counts more");
  put(w, "model.full_mask", NULL);
  put(w, "model.corrupt", NULL);
  put(w, "model.action_drop", NULL);
}

static void put_decoding(writer *w) {
  put(w, "eval.prompt", "frames that an evaluation gives");
  put(w, "eval.steps", "decoding passes; few are nearer to the truth");
  put(w, "eval.temperature", "0.1 where the world leaves nothing to chance, 1 where much is");
  put(w, "eval.choice_temperature", NULL);
  put(w, "eval.carry", "where codes stay, frames stay sharp");
}

static void put_head(FILE *out, const train_starter *s) {
  const bool dyn = is_dynamics(s);
  fprintf(out,
          "# Stage %d: a %s for %s (%" PRId64 " frames, %" PRId64 " episodes), in %g minutes on\n"
          "# %s, where a large matrix product ran at %.3g GFLOP/s\n"
          "# when this was written. Training counts half of that; other work on the machine is not "
          "foreseen.\n#\n",
          dyn ? 2 : 1, dyn ? "world model" : "tokenizer", s->data, s->set->frames, s->set->episodes,
          s->minutes, s->machine, s->rate / 1e9);
  fputs("#   orrery train THIS_FILE --dry-run     whether all fits, what memory and time it takes\n"
        "#   orrery train THIS_FILE\n",
        out);
  if (dyn)
    fputs("#   orrery eval runs/dynamics --data HELD_OUT --json runs/dynamics/eval.json --strip "
          "runs/dynamics/strip.png\n"
          "#   orrery report runs/dynamics\n",
          out);
  else
    fprintf(
        out,
        "#   orrery eval runs/tokenizer --data HELD_OUT --json runs/tokenizer/eval.json "
        "--strip runs/tokenizer/strip.png\n"
        "#   orrery data tokenize %s --tokenizer runs/tokenizer --out tokens\n"
        "#   orrery config new dynamics --data tokens --tokenizer runs/tokenizer --minutes %g\n",
        s->data, s->minutes);
  fputs("#\n# Every row has a default; `orrery config doc` explains all of them.\n", out);
}

orr_code train_starter_text(const train_starter *s, const cfg *c, char **yaml) {
  size_t bytes = 0;
  writer w = {.c = c, .out = open_memstream(yaml, &bytes)};
  ORR_CHECK(w.out, ORR_ENOMEM, "configuration: out of memory");
  put_head(w.out, s);
  put_common(&w, s);
  if (is_dynamics(s))
    put_dynamics(&w, s);
  else
    put_tokenizer(&w, s);
  put(&w, "ckpt.every", NULL);
  if (is_dynamics(s)) put_decoding(&w);
  const bool bad = ferror(w.out) != 0;
  if (fclose(w.out) != 0 || bad) {
    free(*yaml);
    return ORR_FAIL(ORR_ENOMEM, "configuration: out of memory");
  }
  return ORR_OK;
}
