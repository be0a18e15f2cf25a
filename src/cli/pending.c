/* pending.c: stands in for rooms that have not landed; linked behind the library, so that what is
 * there wins. To be deleted with the last of them. */
#include "bundle/bundle.h"
#include "onnx/onnx.h"
#include "proteus/proteus.h"
#include "sentinel/sentinel.h"

#define PENDING(type, failed, name, parameters)                                                    \
  __attribute__((weak)) type name parameters {                                                     \
    g_set_error(error, PT_BASE_ERROR, PT_ERR_INTERNAL, "%s is not in this build", #name);          \
    return failed;                                                                                 \
  }
#pragma GCC diagnostic ignored "-Wunused-parameter"
PENDING(bool, false, pt_obfuscate,
        (const PtObfuscateOptions *o, PtObfuscateReport *r, GError **error))
PENDING(bool, false, pt_optimize, (const PtOptimizeOptions *o, PtOptimizeReport *r, GError **error))
PENDING(bool, false, pt_deobfuscate,
        (const PtDeobfuscateOptions *o, PtDeobfuscateReport *r, GError **error))
PENDING(bool, false, pt_verify,
        (const char *a, const char *b, uint32_t n, const char *s, double t, PtVerifyReport *r,
         GError **error))
PENDING(bool, false, pt_bench, (const PtBenchOptions *o, PtBenchReport *r, GError **error))
PENDING(bool, false, pt_fill_file,
        (const char *a, const char *b, const char *s, unsigned t, GError **error))
PENDING(bool, false, pt_corpus_build,
        (const char *a, const char *b, unsigned t, const PtProgress *p, GError **error))
PENDING(PtCorpus *, NULL, pt_corpus_open, (const char *a, GError **error))
PENDING(bool, false, pt_sentinel_make,
        (PtSentinelMode m, PtGraph *g, GPtrArray *s, PtCorpus *c, uint32_t k, PtRng *r,
         GPtrArray *o, uint32_t *made, GError **error))
PENDING(PtManifest *, NULL, pt_manifest_read, (const char *a, GError **error))
PENDING(PtSecret *, NULL, pt_secret_read, (const char *a, GError **error))
PENDING(PtGraph *, NULL, pt_onnx_read, (const char *a, const PtOnnxReadOptions *o, GError **error))
__attribute__((weak)) void pt_optimize_report_clear(PtOptimizeReport *r) {}
__attribute__((weak)) void pt_deobfuscate_report_clear(PtDeobfuscateReport *r) {}
__attribute__((weak)) void pt_verify_report_clear(PtVerifyReport *r) {}
__attribute__((weak)) void pt_bench_report_clear(PtBenchReport *r) {}
__attribute__((weak)) void pt_manifest_free(PtManifest *m) {}
__attribute__((weak)) void pt_secret_free(PtSecret *m) {}
__attribute__((weak)) void pt_corpus_free(PtCorpus *m) {}
__attribute__((weak)) uint32_t pt_corpus_size(const PtCorpus *m) {
  return 0;
}
__attribute__((weak)) uint64_t pt_noise_file_size(const PtNoise *m) {
  return 0;
}
