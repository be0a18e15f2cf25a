/* How long work tells the caller where it is: shared by the public API and the rooms. */
#ifndef PROTEUS_PROGRESS_H
#define PROTEUS_PROGRESS_H

#include <stdint.h>

/* Called from one thread at a time. `what`: a short phrase; done <= total; total 0: not known. */
typedef void (*PtProgressFunc)(const char *what, uint64_t done, uint64_t total, void *data);

typedef struct PtProgress {
  PtProgressFunc func; /* NULL: silent */
  void *data;
} PtProgress;

#endif
