#include "base/base.h"

bool pt_parse_whole(const char *text, uint64_t most, uint64_t *out) {
  uint64_t value = 0;
  if (!text || !*text)
    return false;
  for (; *text; text++) {
    if (!g_ascii_isdigit(*text) || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
        __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
      return false;
  }
  if (value > most)
    return false;
  *out = value;
  return true;
}
