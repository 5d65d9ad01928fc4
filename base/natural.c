#include "base/natural.h"

#include <ctype.h>
#include <string.h>

// Compares the runs of digits at *a and *b by value and moves both past them.
static int compare_runs(const char **a, const char **b) {
  while (**a == '0') (*a)++;
  while (**b == '0') (*b)++;
  size_t n = strspn(*a, "0123456789"), m = strspn(*b, "0123456789");
  int order = n != m ? (n < m ? -1 : 1) : strncmp(*a, *b, n);
  *a += n;
  *b += m;
  return order;
}

int orr_natural_compare(const char *a, const char *b) {
  const char *p = a, *q = b;
  while (*p && *q) {
    if (isdigit((unsigned char)*p) && isdigit((unsigned char)*q)) {
      int order = compare_runs(&p, &q);
      if (order) return order;
    } else if (*p != *q) {
      return (unsigned char)*p < (unsigned char)*q ? -1 : 1;
    } else {
      p++, q++;
    }
  }
  if (*p || *q) return *p ? 1 : -1;
  return strcmp(a, b); // equal but for zeros in front of numbers
}

int orr_natural_compare_names(const void *a, const void *b) {
  return orr_natural_compare(*(char *const *)a, *(char *const *)b);
}
