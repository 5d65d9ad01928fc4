#include "train/eval/reconstruction.h"

#include <inttypes.h>
#include <math.h>

#include "base/json.h"
#include "base/mem.h"
#include "train/eval/arithmetic.h"
#include "train/eval/ssim.h"

struct train_reconstruction {
  int64_t height, width, S, codes;
  train_ssim *ssim;
  train_measure_mean psnr, similarity;
  int64_t real, decoded; // differences of neighbouring bytes
  int64_t *uses;         // [codes]
  int64_t tokens;
};

orr_code train_reconstruction_create(int64_t height, int64_t width, int64_t S, int64_t codes,
                                     train_reconstruction **out) {
  orr_code rc;
  train_reconstruction *r = orr_calloc(1, sizeof *r);
  ORR_CHECK(r, ORR_ENOMEM, "evaluation: out of memory");
  *r = (train_reconstruction){.height = height, .width = width, .S = S, .codes = codes};
  ORR_TRY_GOTO(train_ssim_create(height, width, &r->ssim), fail);
  r->uses = orr_calloc((size_t)codes, sizeof *r->uses);
  ORR_CHECK_GOTO(r->uses, fail, ORR_ENOMEM, "evaluation of %" PRId64 " codes: out of memory",
                 codes);
  *out = r;
  return ORR_OK;
fail:
  train_reconstruction_destroy(r);
  return rc;
}

void train_reconstruction_destroy(train_reconstruction *r) {
  if (!r) return;
  orr_free(r->uses);
  train_ssim_destroy(r->ssim);
  orr_free(r);
}

void train_reconstruction_add(train_reconstruction *r, const uint8_t *real, const uint8_t *decoded,
                              const int32_t *index, int64_t n) {
  const int64_t bytes = r->height * r->width * 3;
  train_measure_psnr_add(real, decoded, n, 1, bytes, &r->psnr);
  for (int64_t i = 0; i < n; i++) {
    const uint8_t *a = real + i * bytes, *b = decoded + i * bytes;
    train_measure_mean_add(&r->similarity, train_ssim_of(r->ssim, a, b));
    r->real += train_measure_detail(a, r->height, r->width);
    r->decoded += train_measure_detail(b, r->height, r->width);
  }
  for (int64_t i = 0; i < n * r->S; i++) r->uses[index[i]]++;
  r->tokens += n * r->S;
}

void train_reconstruction_tell(const train_reconstruction *r, json_t *out) {
  const double sharp = r->real ? (double)r->decoded / (double)r->real : NAN;
  json_object_set_new(out, "tokenizer_psnr", orr_json_number(train_measure_mean_of(&r->psnr)));
  json_object_set_new(out, "tokenizer_ssim",
                      orr_json_number(train_measure_mean_of(&r->similarity)));
  json_object_set_new(out, "tokenizer_sharpness", orr_json_number(sharp));
  json_object_set_new(out, "codes", json_integer((json_int_t)r->codes));
  json_object_set_new(out, "codes_used",
                      json_integer((json_int_t)train_measure_codes_used(r->uses, r->codes)));
  json_object_set_new(out, "code_perplexity",
                      orr_json_number(train_measure_perplexity(r->uses, r->codes)));
}
