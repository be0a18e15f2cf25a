/* obfuscate: the owner's first step, from the model to the bundle and the secret (paper 4.1).
 * In: a model, or a typed graph and its partition.  Out: a folder of candidates, a 0600 secret, a
 * report. Ties partition, sentinel and bundle together; what each of them does is theirs. Never
 * touches: the optimizer's answer. */
#ifndef PT_OBFUSCATE_H
#define PT_OBFUSCATE_H

#include "graph/graph.h"
#include "partition/partition.h"
#include "proteus/proteus.h"
#include "sentinel/sentinel.h"

#define PT_OBFUSCATE_ERROR (pt_obfuscate_error_quark())
GQuark pt_obfuscate_error_quark(void);

/* Everything after the partition. model: as read, with types; its file's sha256; corpus: NULL where
 * k is 0. options->model is named in messages only. The bundle and the secret are complete, or not
 * there. */
bool pt_obfuscate_pieces(PtGraph *model, PtPartition *partition, const char *model_sha256,
                         const PtObfuscateOptions *options, const PtSeed *seed, PtCorpus *corpus,
                         PtObfuscateReport *report, GError **error);

#endif
