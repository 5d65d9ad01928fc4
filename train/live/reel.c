#include "train/live/reel.h"

#include <string.h>

#include "base/mem.h"

enum { GAP = 2 }; // pixels between two worlds

static size_t frame_bytes(const train_live_reel *r) {
  return (size_t)(r->height * r->width * 3);
}

orr_code train_live_reel_create(train_live_reel *r, int64_t height, int64_t one, int worlds,
                                size_t most_bytes) {
  *r = (train_live_reel){.height = height, .one = one, .width = worlds * (one + GAP) - GAP};
  r->room = (int64_t)(most_bytes / frame_bytes(r));
  if (r->room < 2) r->room = 2;
  r->frames = orr_calloc((size_t)r->room, frame_bytes(r));
  ORR_CHECK(r->frames, ORR_ENOMEM, "play: out of memory");
  return ORR_OK;
}

void train_live_reel_release(train_live_reel *r) {
  orr_free(r->frames);
  *r = (train_live_reel){0};
}

void train_live_reel_clear(train_live_reel *r) {
  r->first = r->end = 0;
}

void train_live_reel_put(train_live_reel *r, int64_t number, uint8_t *const *pixels) {
  const size_t row = (size_t)(r->one * 3);
  uint8_t *to = r->frames + (size_t)(number % r->room) * frame_bytes(r);
  if (number < r->first || number > r->end) r->first = number;
  for (int w = 0; w * (r->one + GAP) < r->width; w++)
    for (int64_t y = 0; y < r->height; y++)
      memcpy(to + (y * r->width + w * (r->one + GAP)) * 3, pixels[w] + (size_t)y * row, row);
  r->end = number + 1;
  if (r->end - r->first > r->room) r->first = r->end - r->room;
}

orr_code train_live_reel_copy(const train_live_reel *r, uint8_t **frames, int64_t *count) {
  const size_t bytes = frame_bytes(r);
  *count = r->end - r->first;
  *frames = orr_malloc((size_t)*count * bytes);
  ORR_CHECK(*frames, ORR_ENOMEM, "film of %d frames: out of memory", (int)*count);
  for (int64_t i = 0; i < *count; i++)
    memcpy(*frames + (size_t)i * bytes, r->frames + (size_t)((r->first + i) % r->room) * bytes,
           bytes);
  return ORR_OK;
}
