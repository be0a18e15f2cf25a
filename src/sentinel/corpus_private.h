/* The corpus file's layout, shared by who writes (corpus_build.c) and who reads it (corpus.c). */
#ifndef PT_CORPUS_PRIVATE_H
#define PT_CORPUS_PRIVATE_H

#include "sentinel/sentinel_private.h"

#define PT_CORPUS_FILE "pieces.bin"
#define PT_CORPUS_MAGIC "PTPIECES"
#define PT_CORPUS_VERSION 1

typedef struct PtCorpusHead {
  char magic[8];
  uint32_t version, face_size, n, unused;
} PtCorpusHead;

#endif
