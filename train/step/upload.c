#include "train/step/upload.h"

#include <string.h>

#include "train/timing/marks.h"

enum { PIECE = 1 << 20 }; // elements

// Two halves take turns: one is filled while the other travels.
static orr_code send_pieces(kern *k, float *device, int64_t count, train_upload_fn give, void *ctx,
                            float *const half[2]) {
  int turn = 0;
  for (int64_t at = 0; at < count; at += PIECE, turn ^= 1) {
    const int64_t n = count - at < PIECE ? count - at : PIECE;
    const size_t bytes = (size_t)n * sizeof(float);
    if (at >= 2 * PIECE) ORR_TRY(kern_await(k, TRAIN_MARK_UPLOAD + turn));
    memset(half[turn], 0, bytes);
    ORR_TRY(give(ctx, at, n, half[turn]));
    ORR_TRY(kern_copy(
        k, &(kern_copy_args){
               .dst = device + at, .src = half[turn], .bytes = bytes, .way = KERN_COPY_IN}));
    ORR_TRY(kern_mark(k, TRAIN_MARK_UPLOAD + turn));
  }
  return kern_sync(k);
}

orr_code train_upload(kern *k, float *device, int64_t count, train_upload_fn give, void *ctx) {
  const int64_t piece = count < PIECE ? count : PIECE;
  float *half;
  ORR_TRY(kern_alloc(k, KERN_PINNED, 2 * (size_t)piece * sizeof *half, "upload", (void **)&half));
  orr_code rc = send_pieces(k, device, count, give, ctx, (float *const[2]){half, half + piece});
  kern_free(k, KERN_PINNED, half);
  return rc;
}
