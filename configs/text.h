// Texts as YAML double-quoted scalars. Private to configs/.
#ifndef CONFIGS_TEXT_H
#define CONFIGS_TEXT_H

#include <stdbool.h>
#include <stdio.h>

// Local. True when s is valid UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool cfg_text_is_utf8(const char *s);
// Local. Prints s (valid UTF-8) in double quotes; what YAML would fold, strip or refuse is escaped.
void cfg_text_print(const char *s, FILE *out);

#endif
