// golden_check FILE...: runs the models of golden files (docs/build.md) of any size and seed, and
// prints how far loss, logits, code indices and gradients are from them.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/golden/golden_run.h"

static int usage(void) {
  fputs("usage: golden_check FILE... [--precision fp32|bf16] [--threads N] [--recompute] [--all]\n"
        "  FILE         a golden file (docs/build.md); its metadata holds the sizes\n"
        "  --precision  of matmul inputs and activations (fp32)\n"
        "  --threads    0 = all cores\n"
        "  --recompute  run each block's forward pass again in the backward pass\n"
        "  --all        print every gradient, not only the worst one\n"
        "exit code: 0 all within their bars, 1 something is not, 2 bad usage\n",
        stderr);
  return 2;
}

static orr_code check_file(const char *path, const golden_options *o, golden_report *r) {
  golden_file f;
  printf("%s (%s)\n", path, o->precision == KERN_BF16 ? "bf16" : "fp32");
  orr_code rc = golden_open(path, &f);
  if (rc == ORR_OK) rc = golden_run_tokenizer(&f, o, r);
  if (rc == ORR_OK) rc = golden_run_dynamics(&f, o, r);
  golden_close(&f);
  return rc;
}

// False for bad usage.
static bool parse(int argc, char **argv, golden_options *o, golden_report *r) {
  static const struct option known[] = {{"precision", required_argument, NULL, 'p'},
                                        {"threads", required_argument, NULL, 't'},
                                        {"recompute", no_argument, NULL, 'r'},
                                        {"all", no_argument, NULL, 'a'},
                                        {NULL, 0, NULL, 0}};
  char *end;
  for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
    if (c == 'r')
      o->keep = TRAIN_RECOMPUTE;
    else if (c == 'a')
      r->all = true;
    else if (c == 'p' && strcmp(optarg, "bf16") == 0)
      o->precision = KERN_BF16;
    else if (c == 'p' && strcmp(optarg, "fp32") == 0)
      o->precision = KERN_F32;
    else if (c == 't') {
      long n = strtol(optarg, &end, 10);
      if (*optarg == 0 || *end != 0 || n < 0 || n > 4096) return false;
      o->threads = (int)n;
    } else
      return false;
  }
  r->precision = o->precision;
  return optind < argc;
}

int main(int argc, char **argv) {
  golden_options o = {.precision = KERN_F32, .keep = TRAIN_KEEP_ALL};
  golden_report r = {0};
  if (!parse(argc, argv, &o, &r)) return usage();
  for (int i = optind; i < argc; i++)
    if (check_file(argv[i], &o, &r) != ORR_OK) {
      fprintf(stderr, "golden_check: %s\n", orr_status_message());
      return 1;
    }
  if (r.beyond)
    printf("golden_check: %d beyond their bars\n", r.beyond);
  else
    printf("golden_check: all within their bars\n");
  return r.beyond ? 1 : 0;
}
