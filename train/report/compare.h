// `orrery report --compare A B`: two runs side by side on one page.
#ifndef TRAIN_REPORT_COMPARE_H
#define TRAIN_REPORT_COMPARE_H

#include "base/status.h"
#include "train/report/data.h"
#include "train/report/page.h"

// Local. Figures, curves and differing knobs of the last stage of each: of a run's folder itself,
// or of the last sub-run that was trained. ORR_ENOTFOUND when one of them has no metrics.
orr_code train_page_compare(train_page *p, const train_report_data *a, const train_report_data *b);

#endif
