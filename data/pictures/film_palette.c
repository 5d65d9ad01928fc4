// See the header. Colours are gathered in bins of 4 x 4 x 4 levels; a box is a run of bins.
#include "data/pictures/film_palette.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

enum { BIN_BITS = 6, BINS = 1 << (3 * BIN_BITS), KMEANS_ROUNDS = 4, SEEN_SLOTS = 1024 };

typedef struct {
  double count, sum[3]; // whole numbers below 2^53: exact in any order
} colour_bin;

typedef struct {
  int first, end;         // of the array of filled bins
  int axis;               // the one along which the box spreads most
  double mean[3], spread; // sum of squared distances along `axis`
} colour_box;

static uint32_t pack(const uint8_t *rgb) {
  return (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
}

static uint32_t slot_of(uint32_t colour, uint32_t slots) {
  return (colour * 2654435761u >> 12) & (slots - 1); // Knuth's multiplicative hash
}

// True when the film has at most `colours` of them; they are then the palette.
static bool exact_palette(const uint8_t *rgb, int64_t pixels, int colours, data_palette *out) {
  uint32_t seen[SEEN_SLOTS]; // colour + 1, 0 = empty; never more than a quarter full
  memset(seen, 0, sizeof seen);
  out->count = 0;
  uint32_t last = UINT32_MAX;
  for (int64_t i = 0; i < pixels; i++) {
    uint32_t c = pack(rgb + 3 * i);
    if (c == last) continue;
    last = c;
    uint32_t s = slot_of(c, SEEN_SLOTS);
    while (seen[s] && seen[s] != c + 1) s = (s + 1) % SEEN_SLOTS;
    if (seen[s]) continue;
    if (out->count == colours) return false;
    seen[s] = c + 1;
    memcpy(out->rgb[out->count++], rgb + 3 * i, 3);
  }
  return true;
}

// Fills `bins` and moves the filled ones to the front; returns how many there are.
static int gather(const uint8_t *rgb, int64_t pixels, colour_bin *bins) {
  for (int64_t i = 0; i < pixels; i++) {
    const uint8_t *c = rgb + 3 * i;
    int shift = 8 - BIN_BITS;
    colour_bin *b =
        &bins[(c[0] >> shift) << (2 * BIN_BITS) | (c[1] >> shift) << BIN_BITS | c[2] >> shift];
    b->count += 1;
    for (int k = 0; k < 3; k++) b->sum[k] += c[k];
  }
  int filled = 0;
  for (int i = 0; i < BINS; i++)
    if (bins[i].count > 0) bins[filled++] = bins[i];
  return filled;
}

static void measure(const colour_bin *bins, colour_box *box) {
  double count = 0, sum[3] = {0}, square[3] = {0};
  for (int i = box->first; i < box->end; i++) {
    count += bins[i].count;
    for (int k = 0; k < 3; k++) {
      sum[k] += bins[i].sum[k];
      square[k] += bins[i].sum[k] * bins[i].sum[k] / bins[i].count;
    }
  }
  box->spread = -1;
  for (int k = 0; k < 3; k++) {
    box->mean[k] = sum[k] / count;
    double spread = square[k] - sum[k] * box->mean[k];
    if (spread > box->spread) {
      box->spread = spread;
      box->axis = k;
    }
  }
  if (box->end - box->first < 2) box->spread = 0; // one bin cannot be split
}

// Splits `box` at its mean; the upper half becomes `upper`. False when all bins fall on one side.
static bool split(colour_bin *bins, colour_box *box, colour_box *upper) {
  int at = box->first;
  for (int i = box->first; i < box->end; i++) {
    if (bins[i].sum[box->axis] > box->mean[box->axis] * bins[i].count) continue;
    colour_bin low = bins[i];
    bins[i] = bins[at];
    bins[at++] = low;
  }
  if (at == box->first || at == box->end) return false;
  *upper = (colour_box){.first = at, .end = box->end};
  box->end = at;
  measure(bins, box);
  measure(bins, upper);
  return true;
}

static int cut(colour_bin *bins, int filled, int colours, colour_box *boxes) {
  int count = 1;
  boxes[0] = (colour_box){.first = 0, .end = filled};
  measure(bins, &boxes[0]);
  while (count < colours) {
    int widest = 0;
    for (int i = 1; i < count; i++)
      if (boxes[i].spread > boxes[widest].spread) widest = i;
    if (boxes[widest].spread <= 0) break;
    if (split(bins, &boxes[widest], &boxes[count]))
      count++;
    else
      boxes[widest].spread = 0;
  }
  return count;
}

static int nearest(const data_palette *p, const double colour[3]) {
  int best = 0;
  double least = 1e30;
  for (int i = 0; i < p->count; i++) {
    double d = 0;
    for (int k = 0; k < 3; k++) d += (colour[k] - p->rgb[i][k]) * (colour[k] - p->rgb[i][k]);
    if (d < least) {
      least = d;
      best = i;
    }
  }
  return best;
}

static uint8_t rounded(double x) {
  return (uint8_t)(x + 0.5); // means of bytes: 0..255
}

// One round of k-means over the filled bins; an entry that attracts none stays.
static void refine(const colour_bin *bins, int filled, data_palette *p) {
  colour_bin total[DATA_PALETTE_MAX];
  memset(total, 0, sizeof total);
  for (int i = 0; i < filled; i++) {
    double mean[3];
    for (int k = 0; k < 3; k++) mean[k] = bins[i].sum[k] / bins[i].count;
    colour_bin *t = &total[nearest(p, mean)];
    t->count += bins[i].count;
    for (int k = 0; k < 3; k++) t->sum[k] += bins[i].sum[k];
  }
  for (int i = 0; i < p->count; i++)
    for (int k = 0; k < 3 && total[i].count > 0; k++)
      p->rgb[i][k] = rounded(total[i].sum[k] / total[i].count);
}

orr_code data_palette_build(const uint8_t *rgb, int64_t pixels, int colours, data_palette *out) {
  ORR_CHECK(pixels >= 1 && colours >= 1 && colours <= DATA_PALETTE_MAX, ORR_EINVAL,
            "palette of %d colours for %" PRId64 " pixels: wanted 1..%d colours, 1 or more pixels",
            colours, pixels, DATA_PALETTE_MAX);
  if (exact_palette(rgb, pixels, colours, out)) return ORR_OK;
  colour_bin *bins = orr_calloc(BINS, sizeof *bins);
  ORR_CHECK(bins, ORR_ENOMEM, "out of memory for %zu bytes of a palette's bins",
            BINS * sizeof *bins);
  int filled = gather(rgb, pixels, bins);
  colour_box boxes[DATA_PALETTE_MAX];
  out->count = cut(bins, filled, colours, boxes);
  for (int i = 0; i < out->count; i++)
    for (int k = 0; k < 3; k++) out->rgb[i][k] = rounded(boxes[i].mean[k]);
  for (int round = 0; round < KMEANS_ROUNDS; round++) refine(bins, filled, out);
  orr_free(bins);
  return ORR_OK;
}

orr_code data_palette_map(const data_palette *p, const uint8_t *rgb, int64_t pixels,
                          uint8_t *index) {
  // Neighbouring pixels repeat colours: remember the last answer of each slot.
  enum { SLOTS = 1 << 14 };
  typedef struct {
    uint32_t key; // colour + 1
    uint8_t index;
  } answer;
  answer *known = orr_calloc(SLOTS, sizeof *known);
  ORR_CHECK(known, ORR_ENOMEM, "out of memory for %zu bytes to map colours", SLOTS * sizeof *known);
  for (int64_t i = 0; i < pixels; i++) {
    uint32_t c = pack(rgb + 3 * i);
    answer *a = &known[slot_of(c, SLOTS)];
    if (a->key != c + 1) {
      a->key = c + 1;
      a->index = (uint8_t)nearest(p, (const double[3]){rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2]});
    }
    index[i] = a->index;
  }
  orr_free(known);
  return ORR_OK;
}
