#include "train/step/schedule.h"

#include <math.h>

double train_schedule_lr(const cfg *c, int64_t step) {
  const double peak = c->optim.lr_peak, last = peak * c->optim.lr_final;
  const int64_t warm = c->optim.warmup_steps, steps = c->train.steps;
  if (step <= warm) return peak * (double)step / (double)warm;
  switch (c->optim.schedule) {
  case CFG_SCHEDULE_COSINE: {
    double u = steps > warm ? (double)(step - warm) / (double)(steps - warm) : 1.0;
    return last + (peak - last) * 0.5 * (1.0 + cos(3.14159265358979323846 * fmin(u, 1.0)));
  }
  case CFG_SCHEDULE_WSD: {
    int64_t decay = c->optim.decay_steps < steps - warm ? c->optim.decay_steps : steps - warm;
    int64_t into = step - (steps - decay);
    if (into <= 0 || decay <= 0) return peak;
    return peak + (last - peak) * fmin((double)into / (double)decay, 1.0);
  }
  default:
    return peak;
  }
}

int64_t train_schedule_frames(const cfg *c, int64_t step) {
  const int64_t last = c->data.frames, steps = c->data.curriculum_steps;
  int64_t frames = c->data.frames_start, lengths = 0, at;
  if (frames == 0 || step > steps) return last;
  for (int64_t f = frames; f < last; f *= 2) lengths++;
  for (at = (step - 1) * lengths / steps; at > 0 && frames < last; at--) frames *= 2;
  return frames;
}
