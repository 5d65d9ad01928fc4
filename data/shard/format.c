#include "data/shard/format.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

static size_t names_bytes(const char *const *names, int64_t n) {
  size_t bytes = 0;
  for (int64_t i = 0; i < n; i++) bytes += sizeof(char *) + strlen(names[i]) + 1;
  return bytes;
}

static const char *put_text(char **at, const char *text) {
  size_t bytes = strlen(text) + 1;
  char *p = memcpy(*at, text, bytes);
  *at += bytes;
  return p;
}

orr_code data_shard_format_copy(const data_shard_format *f, data_shard_format **out) {
  size_t bytes = sizeof *f + names_bytes(f->action_names, f->A) +
                 names_bytes(f->state_names, f->Q) + strlen(f->branch) + strlen(f->source) + 2;
  data_shard_format *c = orr_malloc(bytes);
  ORR_CHECK(c, ORR_ENOMEM, "description of a shard: out of memory for its %zu bytes", bytes);
  *c = *f;
  const char **pointers = (const char **)(c + 1); // the pointers first: text needs no alignment
  char *text = (char *)(pointers + f->A + f->Q);
  c->action_names = pointers;
  c->state_names = pointers + f->A;
  for (int64_t i = 0; i < f->A; i++) pointers[i] = put_text(&text, f->action_names[i]);
  for (int64_t i = 0; i < f->Q; i++) pointers[f->A + i] = put_text(&text, f->state_names[i]);
  c->branch = put_text(&text, f->branch);
  c->source = put_text(&text, f->source);
  *out = c;
  return ORR_OK;
}

static orr_code check_range(const char *what, const char *member, int64_t got, int64_t low,
                            int64_t high) {
  ORR_CHECK(got >= low && got <= high, ORR_EINVAL,
            "%s: %s is %" PRId64 ", wanted %" PRId64 " to %" PRId64, what, member, got, low, high);
  return ORR_OK;
}

orr_code data_shard_format_check(const data_shard_format *f, const char *what) {
  bool frames = f->height != 0 || f->width != 0, tokens = f->S != 0;
  ORR_CHECK(f->branch && f->branch[0], ORR_EINVAL, "%s: no branch; name one, such as worlds", what);
  ORR_CHECK(f->source, ORR_EINVAL, "%s: no source; say in words where the clips come from", what);
  ORR_CHECK(isfinite(f->fps) && f->fps > 0, ORR_EINVAL, "%s: fps is %g, wanted a number above 0",
            what, f->fps);
  ORR_CHECK(frames || tokens, ORR_EINVAL, "%s: neither frames nor tokens; give one of them", what);
  if (frames) {
    ORR_TRY(check_range(what, "frame height", f->height, 1, DATA_SHARD_SIDE_MAX));
    ORR_TRY(check_range(what, "frame width", f->width, 1, DATA_SHARD_SIDE_MAX));
  }
  ORR_TRY(check_range(what, "tokens a frame", f->S, 0, DATA_SHARD_WIDTH_MAX));
  ORR_TRY(check_range(what, "codes", f->codes, 0, tokens ? DATA_SHARD_CODES_MAX : 0));
  ORR_TRY(check_range(what, "action width", f->A, 0, DATA_SHARD_WIDTH_MAX));
  ORR_TRY(check_range(what, "state width", f->Q, 0, DATA_SHARD_WIDTH_MAX));
  ORR_CHECK((f->action_names || f->A == 0) && (f->state_names || f->Q == 0), ORR_EINVAL,
            "%s: %s; give one name a component", what,
            f->action_names || f->A == 0 ? "no state names" : "no action names");
  return data_views_check(&f->views, f->height, f->width, f->S, what);
}

static orr_code same_number(const char *member, const char *a_name, double a, const char *b_name,
                            double b) {
  ORR_CHECK(
      a == b, ORR_EINVAL,
      "%s: %s is %g, but %g in %s; shards of one folder must agree, use a folder for each kind",
      b_name, member, b, a, a_name);
  return ORR_OK;
}

static orr_code same_text(const char *member, const char *a_name, const char *a, const char *b_name,
                          const char *b) {
  ORR_CHECK(
      strcmp(a, b) == 0, ORR_EINVAL,
      "%s: %s is '%s', but '%s' in %s; shards of one folder must agree, use a folder for each "
      "kind",
      b_name, member, b, a, a_name);
  return ORR_OK;
}

orr_code data_shard_format_equal(const data_shard_format *a, const char *a_name,
                                 const data_shard_format *b, const char *b_name) {
  ORR_TRY(same_text("branch", a_name, a->branch, b_name, b->branch));
  ORR_TRY(same_number("fps", a_name, a->fps, b_name, b->fps));
  ORR_TRY(same_number("frame height", a_name, (double)a->height, b_name, (double)b->height));
  ORR_TRY(same_number("frame width", a_name, (double)a->width, b_name, (double)b->width));
  ORR_TRY(same_number("tokens a frame", a_name, (double)a->S, b_name, (double)b->S));
  ORR_TRY(same_number("codes", a_name, (double)a->codes, b_name, (double)b->codes));
  ORR_TRY(same_number("action width", a_name, (double)a->A, b_name, (double)b->A));
  ORR_TRY(same_number("state width", a_name, (double)a->Q, b_name, (double)b->Q));
  ORR_TRY(same_number("number of /reward", a_name, a->reward, b_name, b->reward));
  ORR_TRY(same_number("number of /done", a_name, a->done, b_name, b->done));
  ORR_TRY(same_number("number of /success", a_name, a->success, b_name, b->success));
  ORR_TRY(data_views_equal(&a->views, a_name, &b->views, b_name));
  for (int64_t i = 0; i < a->A; i++) {
    ORR_TRY(same_text("action name", a_name, a->action_names[i], b_name, b->action_names[i]));
  }
  for (int64_t i = 0; i < a->Q; i++) {
    ORR_TRY(same_text("state name", a_name, a->state_names[i], b_name, b->state_names[i]));
  }
  return ORR_OK;
}
