#include "train/live/wire.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

// Numbers at a place of a message, whatever the machine's order of bytes.
static uint64_t get(const uint8_t *p, int bytes) {
  uint64_t v = 0;
  for (int i = 0; i < bytes; i++) v |= (uint64_t)p[i] << (8 * i);
  return v;
}

static void put(uint8_t *p, int bytes, uint64_t v) {
  for (int i = 0; i < bytes; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static float get_f32(const uint8_t *p) {
  const uint32_t bits = (uint32_t)get(p, 4);
  float v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

static void put_f32(uint8_t *p, float v) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  put(p, 4, bits);
}

static double get_f64(const uint8_t *p) {
  const uint64_t bits = get(p, 8);
  double v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

static void put_f64(uint8_t *p, double v) {
  uint64_t bits;
  memcpy(&bits, &v, sizeof bits);
  put(p, 8, bits);
}

float train_wire_value(const train_wire_input *in, int64_t i) {
  return get_f32(in->values + 4 * i);
}

orr_code train_wire_read_input(const uint8_t *bytes, size_t size, train_wire_input *out) {
  ORR_CHECK(size >= TRAIN_WIRE_INPUT_HEADER && bytes[0] == TRAIN_WIRE_INPUT && bytes[1] == 0,
            ORR_EFORMAT, "input message of %zu bytes: wanted kind %d and %d bytes at least", size,
            TRAIN_WIRE_INPUT, TRAIN_WIRE_INPUT_HEADER);
  const size_t n = (size_t)get(bytes + 2, 2);
  ORR_CHECK(size == TRAIN_WIRE_INPUT_HEADER + 4 * n, ORR_EFORMAT,
            "input message of %zu bytes says %zu components: wanted %zu bytes", size, n,
            TRAIN_WIRE_INPUT_HEADER + 4 * n);
  *out = (train_wire_input){
      .stamp = {.number = (uint32_t)get(bytes + 4, 4), .clock_ms = get_f64(bytes + 8)},
      .components = (int64_t)n,
      .values = bytes + TRAIN_WIRE_INPUT_HEADER};
  for (int64_t i = 0; i < out->components; i++)
    ORR_CHECK(isfinite(train_wire_value(out, i)), ORR_EFORMAT,
              "input message: component %d is no finite number", (int)i);
  return ORR_OK;
}

orr_code train_wire_read_picture(const uint8_t *bytes, size_t size, train_wire_picture *out) {
  ORR_CHECK(size >= TRAIN_WIRE_PICTURE_HEADER && bytes[0] == TRAIN_WIRE_PICTURE, ORR_EFORMAT,
            "picture message of %zu bytes: wanted kind %d and %d bytes at least", size,
            TRAIN_WIRE_PICTURE, TRAIN_WIRE_PICTURE_HEADER);
  *out = (train_wire_picture){.width = (int64_t)get(bytes + 4, 2),
                              .height = (int64_t)get(bytes + 6, 2),
                              .rgb = bytes + TRAIN_WIRE_PICTURE_HEADER};
  const size_t wanted = TRAIN_WIRE_PICTURE_HEADER + (size_t)(out->width * out->height * 3);
  ORR_CHECK(out->width > 0 && out->height > 0 && size == wanted, ORR_EFORMAT,
            "picture message of %zu bytes says %d x %d pixels: wanted %zu bytes", size,
            (int)out->width, (int)out->height, wanted);
  return ORR_OK;
}

float train_wire_sample(const train_wire_sound *s, int64_t i) {
  return get_f32(s->samples + 4 * i);
}

orr_code train_wire_read_sound(const uint8_t *bytes, size_t size, train_wire_sound *out) {
  ORR_CHECK(size >= TRAIN_WIRE_SOUND_HEADER && bytes[0] == TRAIN_WIRE_SOUND && size % 4 == 0,
            ORR_EFORMAT,
            "sound message of %zu bytes: wanted kind %d, a header of %d bytes and samples of 4",
            size, TRAIN_WIRE_SOUND, TRAIN_WIRE_SOUND_HEADER);
  *out = (train_wire_sound){.rate = (uint32_t)get(bytes + 4, 4),
                            .whole = (int64_t)get(bytes + 8, 4),
                            .at = (int64_t)get(bytes + 12, 4),
                            .n = (int64_t)(size - TRAIN_WIRE_SOUND_HEADER) / 4,
                            .samples = bytes + TRAIN_WIRE_SOUND_HEADER};
  out->stream = out->whole == 0;
  ORR_CHECK(out->stream || out->at + out->n <= out->whole, ORR_EFORMAT,
            "sound message: samples up to %" PRId64 " of a file of %" PRId64, out->at + out->n,
            out->whole);
  for (int64_t i = 0; i < out->n; i++)
    ORR_CHECK(isfinite(train_wire_sample(out, i)), ORR_EFORMAT,
              "sound message: sample %" PRId64 " is no finite number", out->at + i);
  return ORR_OK;
}

static void put_hash(uint8_t *p, orr_hash128 h) { // canonical: the most significant byte first
  for (int i = 0; i < 8; i++) {
    p[i] = (uint8_t)(h.hi >> (56 - 8 * i));
    p[8 + i] = (uint8_t)(h.lo >> (56 - 8 * i));
  }
}

static orr_hash128 get_hash(const uint8_t *p) {
  orr_hash128 h = {0};
  for (int i = 0; i < 8; i++) {
    h.hi = h.hi << 8 | p[i];
    h.lo = h.lo << 8 | p[8 + i];
  }
  return h;
}

void train_wire_write_frame(const train_wire_frame *f, uint8_t *out) {
  memset(out, 0, TRAIN_WIRE_FRAME_HEADER);
  out[0] = TRAIN_WIRE_FRAME;
  out[1] = (uint8_t)f->world;
  out[2] = (uint8_t)f->flags;
  put(out + 4, 2, (uint64_t)f->width);
  put(out + 6, 2, (uint64_t)f->height);
  put(out + 8, 8, (uint64_t)f->frame);
  put_f64(out + 16, f->stamp.clock_ms);
  put(out + 24, 4, f->stamp.number);
  put(out + 28, 4, f->missed);
  put_f32(out + 32, f->decode_ms);
  put_f32(out + 36, f->surprise);
  put_f32(out + 40, f->answer_ms);
  put_f32(out + 44, f->rate);
  put_hash(out + 48, f->hash);
}

void train_wire_write_outcome(const train_wire_frame *f, uint8_t *out) {
  put_f32(out, f->outcome.reward);
  put_f32(out + 4, f->outcome.done);
  put_f32(out + 8, f->outcome.progress);
}

orr_code train_wire_read_frame(const uint8_t *bytes, size_t size, train_wire_frame *out) {
  ORR_CHECK(size >= TRAIN_WIRE_FRAME_HEADER && bytes[0] == TRAIN_WIRE_FRAME, ORR_EFORMAT,
            "frame message of %zu bytes: wanted kind %d and %d bytes at least", size,
            TRAIN_WIRE_FRAME, TRAIN_WIRE_FRAME_HEADER);
  *out = (train_wire_frame){
      .world = bytes[1],
      .flags = bytes[2],
      .width = (int64_t)get(bytes + 4, 2),
      .height = (int64_t)get(bytes + 6, 2),
      .frame = (int64_t)get(bytes + 8, 8),
      .stamp = {.number = (uint32_t)get(bytes + 24, 4), .clock_ms = get_f64(bytes + 16)},
      .missed = (uint32_t)get(bytes + 28, 4),
      .decode_ms = get_f32(bytes + 32),
      .surprise = get_f32(bytes + 36),
      .answer_ms = get_f32(bytes + 40),
      .rate = get_f32(bytes + 44),
      .hash = get_hash(bytes + 48)};
  ORR_CHECK(size == TRAIN_WIRE_FRAME_HEADER + (size_t)(out->width * out->height * 3), ORR_EFORMAT,
            "frame message of %zu bytes says %d x %d pixels", size, (int)out->width,
            (int)out->height);
  return ORR_OK;
}
