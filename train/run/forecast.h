// What a dry run says about time: how long training would take on the ranks that run.
#ifndef TRAIN_RUN_FORECAST_H
#define TRAIN_RUN_FORECAST_H

#include "base/status.h"
#include "train/run/run.h"

// Local, on every rank at once, of a run that is planned: measures the rate of a product as each
// rank would have it; rank 0 tells. ORR_ENOMEM, ORR_EUNSUPPORTED.
orr_code train_run_forecast(const train_run *r);

#endif
