#include "train/report/shares.h"

enum { COLOURS = 9 }; // classes c1 to c9 of the style sheet

void train_shares_put(train_html *h, const train_shares *s) {
  double all = 0.0;
  for (int i = 0; i < s->n; i++)
    if (s->part[i].value > 0.0) all += s->part[i].value;
  if (!(all > 0.0)) return;
  train_html_format(h, "<div class=\"card time%s\"><header><h3>", s->place);
  train_html_text(h, s->title);
  train_html_put(h, "</h3>");
  if (s->remark) {
    train_html_put(h, "<span class=remark>");
    train_html_text(h, s->remark);
    train_html_put(h, "</span>");
  }
  train_html_put(h, "</header><div class=bar aria-hidden=true>");
  for (int i = 0, shown = 0; i < s->n; i++)
    if (s->part[i].value > 0.0)
      train_html_format(h, "<i class=c%d style=\"flex:%.4f 1 0\"></i>", shown++ % COLOURS + 1,
                        s->part[i].value / all);
  train_html_put(h, "</div><div class=parts>");
  for (int i = 0, shown = 0; i < s->n; i++)
    if (s->part[i].value > 0.0)
      train_html_format(h, "<span><i class=\"s c%d\"></i>%s <b>%s</b> · %.1f%%</span>",
                        shown++ % COLOURS + 1, s->part[i].name, s->words(s->part[i].value).s,
                        100.0 * s->part[i].value / all);
  train_html_put(h, "</div></div>\n");
}
