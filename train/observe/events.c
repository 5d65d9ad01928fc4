#include "train/observe/events.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "train/observe/event.pb-c.h"

struct train_events {
  train_append *file;
};

enum { HEAD = 12, TAIL = 4 }; // bytes of a record before and after its event

static uint32_t masked_crc(const void *p, size_t bytes) {
  const uint32_t crc = orr_crc32c(p, bytes);
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void put_le(unsigned char *to, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; i++) to[i] = (unsigned char)(v >> 8 * i);
}

static orr_code put_event(train_events *e, const Train__ScalarEvent *event) {
  const size_t bytes = train__scalar_event__get_packed_size(event);
  unsigned char *record = orr_malloc(HEAD + bytes + TAIL);
  ORR_CHECK(record, ORR_ENOMEM, "a record of %zu bytes: out of memory", bytes);
  put_le(record, bytes, 8);
  put_le(record + 8, masked_crc(record, 8), 4);
  train__scalar_event__pack(event, record + HEAD);
  put_le(record + HEAD + bytes, masked_crc(record + HEAD, bytes), TAIL);
  train_append_put(e->file, record, HEAD + bytes + TAIL);
  orr_free(record);
  return ORR_OK;
}

static orr_code put_version(train_events *e, double wall_s) {
  char version[] = "brain.Event:2";
  Train__ScalarEvent event = TRAIN__SCALAR_EVENT__INIT;
  event.wall_time = wall_s;
  event.what_case = TRAIN__SCALAR_EVENT__WHAT_FILE_VERSION;
  event.file_version = version;
  return put_event(e, &event);
}

orr_code train_events_rewind(train_events *e, int64_t from, double wall_s) {
  Train__ScalarEvent event = TRAIN__SCALAR_EVENT__INIT;
  Train__SessionLog log = TRAIN__SESSION_LOG__INIT;
  log.status = TRAIN__SESSION_LOG__STATUS__START;
  event.wall_time = wall_s;
  event.step = from + 1;
  event.what_case = TRAIN__SCALAR_EVENT__WHAT_SESSION_LOG;
  event.session_log = &log;
  return put_event(e, &event);
}

// Names sort by time, which is the order that readers take files in.
static char *path_of(const char *dir, double wall_s) {
  char host[256] = "host";
  gethostname(host, sizeof host - 1);
  return orr_format("%s/events.out.tfevents.%010.0f.%s.%d", dir, wall_s, host, (int)getpid());
}

orr_code train_events_open(const char *dir, int64_t from, double wall_s, train_outage *outage,
                           train_events **out) {
  orr_code rc;
  train_events *e = orr_calloc(1, sizeof *e);
  char *path = path_of(dir, wall_s);
  ORR_CHECK_GOTO(e && path, fail, ORR_ENOMEM, "%s: out of memory", dir);
  ORR_TRY_GOTO(train_append_open(path, outage, &e->file), fail);
  ORR_TRY_GOTO(put_version(e, wall_s), fail);
  ORR_TRY_GOTO(train_events_rewind(e, from, wall_s), fail);
  *out = e;
  orr_free(path);
  return ORR_OK;
fail:
  train_events_close(e);
  orr_free(path);
  return rc;
}

orr_code train_events_write(train_events *e, const train_scalars *s) {
  Train__ScalarValue value[TRAIN_SCALARS], *list[TRAIN_SCALARS];
  Train__ScalarSummary summary = TRAIN__SCALAR_SUMMARY__INIT;
  Train__ScalarEvent event = TRAIN__SCALAR_EVENT__INIT;
  for (int i = 0; i < s->n; i++) {
    if (!isfinite(s->v[i].value)) continue;
    Train__ScalarValue *v = list[summary.n_value] = &value[summary.n_value];
    train__scalar_value__init(v);
    v->tag = (char *)s->v[i].name; // the generated struct is not const; packing only reads
    v->value_case = TRAIN__SCALAR_VALUE__VALUE_SIMPLE_VALUE;
    v->simple_value = (float)s->v[i].value;
    summary.n_value++;
  }
  summary.value = list;
  event.wall_time = s->wall_s;
  event.step = s->step;
  event.what_case = TRAIN__SCALAR_EVENT__WHAT_SUMMARY;
  event.summary = &summary;
  return put_event(e, &event);
}

// Of the header that a PNG begins with: width and height are big-endian at 16 and 20.
static int32_t png_size(const char *png, int at) {
  const unsigned char *p = (const unsigned char *)png + at;
  return (int32_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
}

orr_code train_events_image(train_events *e, const char *tag, int64_t step, double wall_s,
                            const char *png, size_t bytes) {
  static const char magic[8] = "\x89PNG\r\n\x1a\n";
  Train__Image image = TRAIN__IMAGE__INIT;
  Train__ScalarValue value = TRAIN__SCALAR_VALUE__INIT, *list = &value;
  Train__ScalarSummary summary = TRAIN__SCALAR_SUMMARY__INIT;
  Train__ScalarEvent event = TRAIN__SCALAR_EVENT__INIT;
  if (bytes < 24 || memcmp(png, magic, sizeof magic) != 0) return ORR_OK;
  image.width = png_size(png, 16);
  image.height = png_size(png, 20);
  image.colorspace = 3;
  // The generated structs are not const; packing only reads.
  image.encoded_image_string = (ProtobufCBinaryData){bytes, (uint8_t *)(uintptr_t)png};
  value.tag = (char *)(uintptr_t)tag;
  value.value_case = TRAIN__SCALAR_VALUE__VALUE_IMAGE;
  value.image = &image;
  summary.n_value = 1;
  summary.value = &list;
  event.wall_time = wall_s;
  event.step = step;
  event.what_case = TRAIN__SCALAR_EVENT__WHAT_SUMMARY;
  event.summary = &summary;
  return put_event(e, &event);
}

void train_events_close(train_events *e) {
  if (!e) return;
  train_append_close(e->file);
  orr_free(e);
}
