#include "train/live/message.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "data/pictures/resize.h"
#include "train/live/keep.h"

enum { LEAST_MESSAGE = 1 << 20 };

static orr_code take_input(train_live_seat *s, const uint8_t *bytes, size_t size, int64_t now_ns) {
  train_wire_input in;
  ORR_TRY(train_wire_read_input(bytes, size, &in));
  train_live_seat_input(s, &in, now_ns);
  return ORR_OK;
}

// The middle of a picture, in the shape of the world's.
static orr_code fit(const train_wire_picture *p, const train_live_world *w, uint8_t *out) {
  int64_t height = p->height, width = height * w->width / w->height;
  if (width > p->width) {
    width = p->width;
    height = width * w->height / w->width;
  }
  if (width < 1) width = 1;
  if (height < 1) height = 1;
  const uint8_t *from = p->rgb + ((p->height - height) / 2 * p->width + (p->width - width) / 2) * 3;
  data_resizer *r = NULL;
  ORR_TRY(data_resizer_create(height, width, w->height, w->width, &r));
  data_resizer_run(r, from, (size_t)p->width * 3, out, (size_t)w->width * 3);
  data_resizer_destroy(r);
  return ORR_OK;
}

static orr_code take_picture(train_live_seat *s, const uint8_t *bytes, size_t size) {
  const train_live_world *w = s->session.world[0];
  train_wire_picture p;
  ORR_TRY(train_wire_read_picture(bytes, size, &p));
  s->has_picture = true;
  if (p.width == w->width && p.height == w->height) {
    memcpy(s->picture, p.rgb, w->frame_bytes);
    return ORR_OK;
  }
  ORR_TRY(fit(&p, w, s->picture));
  char *words =
      orr_format("picture of %" PRId64 " x %" PRId64 " pixels: its middle was fitted to the "
                 "world's %" PRId64 " x %" PRId64,
                 p.width, p.height, w->width, w->height);
  ORR_CHECK(words, ORR_ENOMEM, "play: out of memory");
  const orr_code rc = train_live_control_note(s, "fitted", words);
  orr_free(words);
  return rc;
}

static orr_code take_file(const train_live_house *h, train_live_seat *s, const uint8_t *bytes,
                          size_t size, int64_t now_ns) {
  ORR_CHECK(size >= TRAIN_WIRE_FILE_HEADER && bytes[1] <= 1, ORR_EFORMAT,
            "session message of %zu bytes: wanted a header of %d and the file", size,
            (int)TRAIN_WIRE_FILE_HEADER);
  return train_live_keep_resume(h, s, "the session file", bytes + TRAIN_WIRE_FILE_HEADER,
                                size - TRAIN_WIRE_FILE_HEADER, bytes[1] == 1, now_ns);
}

static orr_code take_sound(const train_live_house *h, train_live_seat *s, const uint8_t *bytes,
                           size_t size, int64_t now_ns) {
  train_wire_sound m;
  bool begun;
  ORR_TRY(train_wire_read_sound(bytes, size, &m));
  ORR_CHECK(s->ready, ORR_EINVAL, "sound: nothing has begun yet that could hear it");
  ORR_TRY(train_live_sound_take(&s->sound, &h->hearing, &m, s->session.frame, now_ns, &begun));
  return begun ? train_live_control_sound(s) : ORR_OK;
}

static orr_code take_bytes(const train_live_house *h, train_live_seat *s, const uint8_t *bytes,
                           size_t size, int64_t now_ns) {
  const int kind = size > 0 ? bytes[0] : -1;
  if (kind == TRAIN_WIRE_INPUT) return take_input(s, bytes, size, now_ns);
  if (kind == TRAIN_WIRE_PICTURE) return take_picture(s, bytes, size);
  if (kind == TRAIN_WIRE_RESUME) return take_file(h, s, bytes, size, now_ns);
  if (kind == TRAIN_WIRE_SOUND) return take_sound(h, s, bytes, size, now_ns);
  return ORR_FAIL(ORR_EFORMAT, "binary message of kind %d: wanted %d, %d, %d or %d", kind,
                  TRAIN_WIRE_INPUT, TRAIN_WIRE_PICTURE, TRAIN_WIRE_RESUME, TRAIN_WIRE_SOUND);
}

orr_code train_live_message_take(const train_live_house *h, train_live_seat *s, bool text,
                                 const uint8_t *bytes, size_t size, int64_t now_ns) {
  s->heard_ns = now_ns;
  if (text) return train_live_control_do(h, s, (const char *)bytes, size, now_ns);
  const orr_code rc = take_bytes(h, s, bytes, size, now_ns);
  if (rc != ORR_EFORMAT && rc != ORR_EINVAL && rc != ORR_ECORRUPT && rc != ORR_EUNSUPPORTED)
    return rc;
  return train_live_control_error(s, "format", orr_status_message());
}

size_t train_live_message_most(const train_live_seat *s) {
  const size_t picture = s->session.world[0]->frame_bytes + TRAIN_WIRE_PICTURE_HEADER;
  return picture > LEAST_MESSAGE ? picture : LEAST_MESSAGE;
}
