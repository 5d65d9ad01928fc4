#include "train/observe/prometheus.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static size_t put_gauge(char *to, size_t room, const char *name, double v) {
  char number[32];
  if (isfinite(v))
    snprintf(number, sizeof number, "%.17g", v);
  else
    snprintf(number, sizeof number, "%s", isnan(v) ? "NaN" : v > 0.0 ? "+Inf" : "-Inf");
  const int n = snprintf(to, room, "# TYPE orrery_%s gauge\norrery_%s %s\n", name, name, number);
  if (n >= 0 && (size_t)n < room) return (size_t)n;
  *to = '\0'; // a name of 80 characters or more
  return 0;
}

size_t train_prometheus_text(const train_scalars *s, char text[TRAIN_PROMETHEUS_BYTES]) {
  size_t used = put_gauge(text, TRAIN_PROMETHEUS_BYTES, "step", (double)s->step);
  for (int i = 0; i < s->n; i++)
    used += put_gauge(text + used, TRAIN_PROMETHEUS_BYTES - used, s->v[i].name, s->v[i].value);
  return used;
}

size_t train_prometheus_vitals(const train_vitals *v, size_t used,
                               char text[TRAIN_PROMETHEUS_BYTES]) {
  const struct {
    const char *name;
    double value;
  } gauges[] = {{"restarts", (double)v->restarts},
                {"lost_steps", (double)v->lost_steps},
                {"goodput", train_vitals_goodput(v)},
                {"checkpoint_step", (double)v->saved},
                {"checkpoint_time_seconds", v->saved_wall_s}};
  const int shown = v->saved > 0 ? 5 : 3;
  const int n = snprintf(text + used, TRAIN_PROMETHEUS_BYTES - used,
                         "# TYPE orrery_state gauge\norrery_state{state=\"%s\"} 1\n", v->state);
  if (n > 0 && (size_t)n < TRAIN_PROMETHEUS_BYTES - used) used += (size_t)n;
  for (int i = 0; i < shown; i++)
    used += put_gauge(text + used, TRAIN_PROMETHEUS_BYTES - used, gauges[i].name, gauges[i].value);
  return used;
}

// RFC 4648 section 5, with padding: what the gateway takes after a label's name and "@base64".
static char *base64url(const char *s) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const size_t bytes = strlen(s);
  char *out = orr_calloc((bytes + 2) / 3 * 4 + 1, 1);
  for (size_t i = 0, at = 0; out && i < bytes; i += 3) {
    const size_t n = bytes - i < 3 ? bytes - i : 3;
    uint32_t v = 0;
    for (size_t k = 0; k < 3; k++) v = v << 8 | (k < n ? (unsigned char)s[i + k] : 0);
    for (size_t k = 0; k < 4; k++) out[at++] = k <= n ? digits[v >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

orr_code train_prometheus_url(const char *gateway, const char *job, const char *run, char **url) {
  size_t length = strlen(gateway);
  while (length > 0 && gateway[length - 1] == '/') length--;
  char *j = base64url(job), *r = base64url(run);
  *url = j && r ? orr_format("%.*s/metrics/job@base64/%s/run@base64/%s", (int)length, gateway, j, r)
                : NULL;
  orr_free(r);
  orr_free(j);
  ORR_CHECK(*url, ORR_ENOMEM, "metrics.pushgateway: out of memory");
  return ORR_OK;
}
