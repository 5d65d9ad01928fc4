#include "train/save/token_maker.h"

#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "checkpoints/root.h"
#include "data/set/index.h"

static const char tokens_by[] = "; tokens by ", from[] = " from ";

orr_code train_token_maker_of(const char *path, train_token_maker *out) {
  orr_path manifest;
  orr_hash128 hash;
  ORR_TRY(orr_fs_join(manifest, sizeof manifest, path, "manifest.json"));
  ORR_TRY(orr_hash_file(manifest, &hash, NULL));
  snprintf(out->s, sizeof out->s, "%s", orr_hash_to_hex(hash).s);
  return ORR_OK;
}

char *train_token_maker_mark(const char *maker, const char *shard_hash) {
  return orr_format("%s%s%s%s", tokens_by, maker, from, shard_hash);
}

train_token_maker train_token_maker_in(const char *source) {
  train_token_maker m = {""};
  orr_hash128 hash;
  const char *last = NULL;
  for (const char *at = source; (at = strstr(at, tokens_by)); at++) last = at + strlen(tokens_by);
  if (!last || strlen(last) < 32 + strlen(from) || strncmp(last + 32, from, strlen(from)) != 0)
    return m;
  snprintf(m.s, sizeof m.s, "%.32s", last);
  if (orr_hash_from_hex(m.s, &hash) != ORR_OK) {
    orr_status_clear();
    m.s[0] = '\0';
  }
  return m;
}

train_token_maker train_token_maker_taught(const ckpt_reader *r) {
  train_token_maker m;
  const char *name = json_string_value(json_object_get(ckpt_reader_meta(r), "tokens_by"));
  snprintf(m.s, sizeof m.s, "%s", name ? name : "");
  return m;
}

// "; step-00000500 beside it did": in another checkpoint of the folder that `path` lies in.
static void hint(const char *path, const train_token_maker *wanted, char *out, size_t size) {
  orr_path root, sibling;
  ckpt_candidate *all = NULL;
  int n = 0;
  train_token_maker m;
  out[0] = '\0';
  snprintf(root, sizeof root, "%s", path);
  char *slash = strrchr(root, '/');
  if (!slash) return;
  *slash = '\0';
  if (ckpt_root_candidates(root, &all, &n) != ORR_OK) orr_status_clear();
  for (int i = 0; i < n && !out[0]; i++) {
    if (orr_fs_join(sibling, sizeof sibling, root, all[i].name.s) != ORR_OK ||
        train_token_maker_of(sibling, &m) != ORR_OK)
      orr_status_clear();
    else if (strcmp(m.s, wanted->s) == 0)
      snprintf(out, size, "; %.3900s did: name that", sibling);
  }
  orr_free(all);
}

// The one message, or warning, of two that differ.
static orr_code refuse(bool any, orr_code rc, const char *words) {
  if (!any) return ORR_FAIL(rc, "%s", words);
  ORR_WARN("%s", words);
  return ORR_OK;
}

static orr_code same_or(const cfg *c, const char *set, const train_token_maker *a, const char *who,
                        const train_token_maker *b, const char *remedy) {
  char words[2048];
  if (!a->s[0] || !b->s[0] || strcmp(a->s, b->s) == 0) return ORR_OK;
  snprintf(
      words, sizeof words,
      "%.400s: its tokens were made by tokenizer %s, %.600s %s: the same codes stand for other "
      "pictures%.700s, or set data.any_tokenizer=true",
      set, a->s, who, b->s, remedy);
  return refuse(c->data.any_tokenizer, ORR_ECONFIG, words);
}

static orr_code maker_of_set(const cfg *c, data_remote *remote, int set, train_token_maker *out) {
  data_index *x;
  ORR_TRY(data_index_open_from(c->data.train.v[set], remote, &x));
  *out = train_token_maker_in(x->format.source);
  data_index_close(x);
  return ORR_OK;
}

// tokenizer.checkpoint may stay on another machine than the one that trains.
static orr_code named_maker(const cfg *c, train_token_maker *out, char path[4096]) {
  const char *named = c->tokenizer.checkpoint;
  ckpt_reader *r = NULL;
  if (!named[0]) return ORR_OK;
  if (!orr_fs_exists(named)) {
    ORR_WARN("tokenizer.checkpoint %s is not there: whether it made the tokens is not checked",
             named);
    return ORR_OK;
  }
  ORR_TRY(ckpt_open(named, &r));
  snprintf(path, 4096, "%s", ckpt_reader_path(r));
  ckpt_close(r);
  return train_token_maker_of(path, out);
}

static orr_code check_named(const cfg *c, const char *set, const train_token_maker *made) {
  char path[4096] = "", who[4200], other[4000], remedy[4100];
  train_token_maker named = {""};
  ORR_TRY(named_maker(c, &named, path));
  hint(path, made, other, sizeof other);
  snprintf(who, sizeof who, "tokenizer.checkpoint (%s) is", path);
  snprintf(remedy, sizeof remedy, "%s",
           other[0] ? other : "; name the one that made them, or tokenize again");
  return same_or(c, set, made, who, &named, remedy);
}

orr_code train_token_maker_check(const cfg *c, data_remote *remote, const char *base,
                                 const train_token_maker *taught, train_token_maker *out) {
  const char *first = NULL;
  *out = (train_token_maker){""};
  if (c->train.stage != CFG_STAGE_DYNAMICS) return ORR_OK;
  for (int i = 0; i < c->data.train.n; i++) {
    const char *set = c->data.train.v[i];
    char who[4200];
    train_token_maker made;
    ORR_TRY(maker_of_set(c, remote, i, &made));
    snprintf(who, sizeof who, "those of %s by", first ? first : "");
    ORR_TRY(same_or(c, set, &made, who, out, "; tokenize both by the same one"));
    if (out->s[0] || !made.s[0]) continue;
    first = set;
    *out = made;
  }
  if (!out->s[0]) return ORR_OK;
  ORR_TRY(check_named(c, first, out));
  if (!taught || !base) return ORR_OK;
  char who[4200];
  snprintf(who, sizeof who, "but %s learned those of", base);
  return same_or(c, first, out, who, taught, "; tokenize by that one");
}

orr_code train_token_maker_pair(const char *model, const train_token_maker *taught,
                                const char *path, bool any) {
  char words[2048], other[4000];
  train_token_maker is;
  if (!taught->s[0]) return ORR_OK;
  ORR_TRY(train_token_maker_of(path, &is));
  if (strcmp(is.s, taught->s) == 0) return ORR_OK;
  hint(path, taught, other, sizeof other);
  snprintf(
      words, sizeof words,
      "%.400s was trained on tokens that tokenizer %s made, %.400s is %s: the same codes stand "
      "for other pictures%.700s, or give --any-tokenizer",
      model, taught->s, path, is.s,
      other[0] ? other : "; give --tokenizer with the one that made them");
  return refuse(any, ORR_EINVAL, words);
}
