// The child that a foreign library lives in. Nothing of it can be trusted once the library is
// loaded, so the parent checks what it says; the checks here only make messages clear.
#include "data/sim/libenv_child.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/mem.h"

enum { TENSORS_MAX = 16, INFO_BYTES = 1 << 20, OPTIONS_MAX = 16 };

typedef struct {
  const data_libenv_options *o;
#define FIELD(type, name, arguments) type(*name) arguments;
  LIBENV_FUNCTIONS(FIELD)
#undef FIELD
  void *environment;
  uint8_t *frame;
  int32_t action;
  float reward;
  uint8_t first;
  void *ob[1], *ac[1], *info[TENSORS_MAX];
  libenv_buffers buffers;
  // what the library writes and nobody reads
  _Alignas(16) uint8_t info_bytes[INFO_BYTES];
} player;

// -- loading ----------------------------------------------------------------------------------

// Its own copies of libraries that we use, too, come before ours. Sanitizers cannot have that.
#ifdef __SANITIZE_ADDRESS__
enum { DLOPEN_FLAGS = RTLD_NOW | RTLD_LOCAL };
#else
enum { DLOPEN_FLAGS = RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND };
#endif

static orr_code find_functions(player *p) {
  void *library = dlopen(p->o->library, DLOPEN_FLAGS);
  if (!library) {
    const char *why = dlerror();
    return ORR_FAIL(ORR_EFORMAT, "cannot load it: %s", why ? why : "no reason given");
  }
#define FIND(type, name, arguments)                                                                \
  *(void **)&p->name = dlsym(library, "libenv_" #name);                                            \
  ORR_CHECK(p->name, ORR_EFORMAT, "it has no function libenv_" #name);
  LIBENV_FUNCTIONS(FIND)
#undef FIND
  const int version = p->version();
  ORR_CHECK(version == LIBENV_VERSION, ORR_EUNSUPPORTED,
            "it has version %d of the interface, wanted %d", version, LIBENV_VERSION);
  return ORR_OK;
}

// -- one level --------------------------------------------------------------------------------

typedef struct {
  libenv_option item[OPTIONS_MAX];
  int32_t number[OPTIONS_MAX];
  uint8_t flag[OPTIONS_MAX];
  int count;
} option_list;

static void put(option_list *l, const char *name, int dtype, int count, const void *data) {
  libenv_option *o = &l->item[l->count++];
  memset(o, 0, sizeof *o);
  snprintf(o->name, sizeof o->name, "%s", name);
  o->dtype = dtype;
  o->count = count;
  o->data = (void *)data;
}

static void put_text(option_list *l, const char *name, const char *text) {
  put(l, name, LIBENV_UINT8, (int)strlen(text), text);
}

static void put_number(option_list *l, const char *name, int32_t v) {
  int32_t *at = &l->number[l->count];
  *at = v;
  put(l, name, LIBENV_INT32, 1, at);
}

static void put_flag(option_list *l, const char *name, bool v) {
  uint8_t *at = &l->flag[l->count];
  *at = v;
  put(l, name, LIBENV_UINT8, 1, at);
}

// One level alone; no threads.
static void *make(const player *p, int32_t level) {
  enum { EASY = 0, HARD = 1 };
  char root[4096 + 2];
  option_list l = {.count = 0};
  snprintf(root, sizeof root, "%s/", p->o->assets);
  put_text(&l, "env_name", p->o->game);
  put_text(&l, "resource_root", root);
  put_number(&l, "num_levels", 1);
  put_number(&l, "start_level", level);
  put_number(&l, "num_actions", p->o->actions);
  put_number(&l, "rand_seed", 0);
  put_number(&l, "num_threads", 0);
  put_number(&l, "distribution_mode", p->o->easy ? EASY : HARD);
  put_flag(&l, "render_human", false);
  put_flag(&l, "use_sequential_levels", false);
  put_flag(&l, "center_agent", true);
  put_flag(&l, "use_backgrounds", true);
  put_flag(&l, "restrict_themes", false);
  return p->make(1, (libenv_options){l.item, l.count});
}

static int64_t element_bytes(const libenv_tensortype *t) {
  int64_t bytes = t->dtype == LIBENV_UINT8                                 ? 1
                  : t->dtype == LIBENV_INT32 || t->dtype == LIBENV_FLOAT32 ? 4
                                                                           : -1;
  for (int i = 0; bytes > 0 && i < t->ndim && i < LIBENV_DIMS_MAX; i++)
    bytes = t->shape[i] > 0 && t->shape[i] < 65536 && bytes < INFO_BYTES ? bytes * t->shape[i] : -1;
  return bytes;
}

static orr_code list_tensors(const player *p, int space, const char *name, int most,
                             libenv_tensortype *t, int *count) {
  *count = p->get_tensortypes(p->environment, space, NULL);
  ORR_CHECK(*count >= 0 && *count <= most, ORR_EFORMAT, "it has %d %s tensors, wanted at most %d",
            *count, name, most);
  memset(t, 0, (size_t)most * sizeof *t);
  if (*count > 0) p->get_tensortypes(p->environment, space, t);
  return ORR_OK;
}

static orr_code check_spaces(const player *p) {
  libenv_tensortype t[TENSORS_MAX];
  const int64_t side = p->o->side;
  int n = 0;
  ORR_TRY(list_tensors(p, LIBENV_OBSERVATION, "observation", 1, t, &n));
  ORR_CHECK(n == 1 && t->dtype == LIBENV_UINT8 && t->ndim == 3 && t->shape[0] == side &&
                t->shape[1] == side && t->shape[2] == 3,
            ORR_EFORMAT, "its frames are [%d,%d,%d] of type %d, wanted [%d,%d,3] bytes",
            t->shape[0], t->shape[1], t->shape[2], t->dtype, (int)side, (int)side);
  ORR_TRY(list_tensors(p, LIBENV_ACTION, "action", 1, t, &n));
  ORR_CHECK(n == 1 && t->dtype == LIBENV_INT32 && element_bytes(t) == 4 &&
                t->high.int32 == p->o->actions - 1,
            ORR_EFORMAT, "it takes actions 0..%d of type %d, wanted one number 0..%d",
            t->high.int32, t->dtype, p->o->actions - 1);
  return ORR_OK;
}

static orr_code place_infos(player *p) {
  libenv_tensortype t[TENSORS_MAX];
  int64_t at = 0;
  int n = 0;
  ORR_TRY(list_tensors(p, LIBENV_INFO, "info", TENSORS_MAX, t, &n));
  for (int i = 0; i < n; i++) {
    const int64_t bytes = element_bytes(&t[i]);
    ORR_CHECK(bytes > 0 && at + bytes <= INFO_BYTES, ORR_EFORMAT,
              "its info tensor %d takes too much room", i);
    p->info[i] = p->info_bytes + at;
    at += (bytes + 15) / 16 * 16;
  }
  return ORR_OK;
}

static orr_code begin(player *p, int32_t level) {
  if (p->environment) p->close(p->environment);
  p->environment = make(p, level);
  ORR_CHECK(p->environment, ORR_EFORMAT, "it made no environment of level %d", level);
  ORR_TRY(check_spaces(p));
  ORR_TRY(place_infos(p));
  p->ob[0] = p->frame;
  p->ac[0] = &p->action;
  p->buffers = (libenv_buffers){p->ob, &p->reward, &p->first, p->info, p->ac};
  p->set_buffers(p->environment, &p->buffers);
  p->observe(p->environment);
  return ORR_OK;
}

static orr_code act(player *p, int32_t action) {
  ORR_CHECK(p->environment, ORR_EINVAL, "an action before a level");
  p->action = action;
  p->act(p->environment);
  p->observe(p->environment);
  return ORR_OK;
}

// -- its life ---------------------------------------------------------------------------------

// Loading reads files, also the pictures, which come with the first environment; nothing after it
// does.
static orr_code load(player *p) {
  ORR_TRY(find_functions(p));
  ORR_TRY(begin(p, 0));
  return orr_confine_seal();
}

static orr_code answer(player *p, const libenv_request *q) {
  switch (q->what) {
  case LIBENV_LOAD:
    return load(p);
  case LIBENV_BEGIN:
    return begin(p, q->value);
  default:
    return act(p, q->value);
  }
}

void data_libenv_live(void *ctx, orr_code confined) {
  const libenv_child *c = ctx;
  libenv_request q;
  player *p = orr_calloc(1, sizeof *p);
  if (!p) return;
  p->o = c->o;
  p->frame = c->frame;
  while (read(c->fd, &q, sizeof q) == (ssize_t)sizeof q) {
    libenv_answer a = {.number = q.number};
    const orr_code rc = confined == ORR_OK ? answer(p, &q) : confined;
    a.code = (int32_t)rc;
    a.reward = p->reward;
    a.over = q.what == LIBENV_ACT && p->first;
    if (rc != ORR_OK) orr_status_copy(a.message, sizeof a.message);
    if (write(c->fd, &a, sizeof a) != (ssize_t)sizeof a) break;
  }
  orr_free(p);
}
