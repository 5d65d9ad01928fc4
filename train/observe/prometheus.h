// A step's numbers in Prometheus' text format, for a Pushgateway.
#ifndef TRAIN_PROMETHEUS_H
#define TRAIN_PROMETHEUS_H

#include <stddef.h>

#include "base/status.h"
#include "train/observe/scalars.h"
#include "train/observe/vitals.h"

#define TRAIN_PROMETHEUS_BYTES (256 * (TRAIN_SCALARS + 8)) // room for any step

// Local. Writes one gauge a value, orrery_<name>, and orrery_step; returns the bytes written, which
// are terminated by a 0 that is not counted.
size_t train_prometheus_text(const train_scalars *s, char text[TRAIN_PROMETHEUS_BYTES]);
// Local. The same for the run as a whole, after the step's: orrery_state{state="training"} 1,
// orrery_restarts, orrery_lost_steps, orrery_goodput, and once there is one, orrery_checkpoint_step
// and orrery_checkpoint_time_seconds. Writes after `used` bytes; returns the new number.
size_t train_prometheus_vitals(const train_vitals *v, size_t used,
                               char text[TRAIN_PROMETHEUS_BYTES]);
// Local. *url (orr_free) is where a Pushgateway takes the metrics of one run, grouped by the labels
// job and run; both in base64, for a run's folder has slashes. ORR_ENOMEM.
orr_code train_prometheus_url(const char *gateway, const char *job, const char *run, char **url);

#endif
