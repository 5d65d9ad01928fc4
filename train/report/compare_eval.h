// What the evaluations of two runs say beside each other: figures, curves by horizon, pictures.
#ifndef TRAIN_REPORT_COMPARE_EVAL_H
#define TRAIN_REPORT_COMPARE_EVAL_H

#include "train/report/page.h"

// Local. Nothing where neither was evaluated and neither has a picture.
void train_page_compare_eval(train_page *p, const train_report_data *a, const train_report_data *b);

#endif
