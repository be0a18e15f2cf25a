/* ort_api.h: ONNX Runtime's C API without its header, for src/runtime only.
 * OrtApi is a table of function pointers that only grows at its end, so a position never changes:
 * the table below is the whole interface. Adding a call is one row. */
#ifndef PT_RUNTIME_ORT_API_H
#define PT_RUNTIME_ORT_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct OrtStatus OrtStatus;
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtValue OrtValue;
typedef struct OrtTypeInfo OrtTypeInfo;
typedef struct OrtShapeInfo OrtShapeInfo; /* OrtTensorTypeAndShapeInfo */
typedef struct OrtSequenceTypeInfo OrtSequenceTypeInfo;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtAllocator OrtAllocator;

enum { ORT_LOG_FATAL = 4 };
enum { ORT_SEQUENTIAL = 0 };
enum { ORT_ALLOCATOR_DEVICE = 0, ORT_ALLOCATOR_ARENA = 1 };
enum { ORT_MEM_DEFAULT = 0 };
enum { ORT_TYPE_UNKNOWN = 0, ORT_TYPE_TENSOR = 1, ORT_TYPE_SEQUENCE = 2 };
/* OrtErrorCode, as far as we tell them apart. */
enum { ORT_NO_SUCHFILE = 3, ORT_NOT_IMPLEMENTED = 9 };
/* The first API version that has every row below. */
#define PT_ORT_API_VERSION 24

/* X(position, name, result, parameters) */
#define PT_ORT_CALLS(X)                                                                            \
  X(1, GetErrorCode, int, (const OrtStatus *))                                                     \
  X(2, GetErrorMessage, const char *, (const OrtStatus *))                                         \
  X(3, CreateEnv, OrtStatus *, (int severity, const char *id, OrtEnv **))                          \
  X(7, CreateSession, OrtStatus *,                                                                 \
    (const OrtEnv *, const char *path, const OrtSessionOptions *, OrtSession **))                  \
  X(8, CreateSessionFromArray, OrtStatus *,                                                        \
    (const OrtEnv *, const void *, size_t, const OrtSessionOptions *, OrtSession **))              \
  X(9, Run, OrtStatus *,                                                                           \
    (OrtSession *, const OrtRunOptions *, const char *const *in_names, const OrtValue *const *in,  \
     size_t, const char *const *out_names, size_t, OrtValue **out))                                \
  X(10, CreateSessionOptions, OrtStatus *, (OrtSessionOptions **))                                 \
  X(11, SetOptimizedModelFilePath, OrtStatus *, (OrtSessionOptions *, const char *))               \
  X(13, SetSessionExecutionMode, OrtStatus *, (OrtSessionOptions *, int))                          \
  X(17, DisableMemPattern, OrtStatus *, (OrtSessionOptions *))                                     \
  X(19, DisableCpuMemArena, OrtStatus *, (OrtSessionOptions *))                                    \
  X(22, SetSessionLogSeverityLevel, OrtStatus *, (OrtSessionOptions *, int))                       \
  X(23, SetSessionGraphOptimizationLevel, OrtStatus *, (OrtSessionOptions *, int))                 \
  X(24, SetIntraOpNumThreads, OrtStatus *, (OrtSessionOptions *, int))                             \
  X(25, SetInterOpNumThreads, OrtStatus *, (OrtSessionOptions *, int))                             \
  X(30, SessionGetInputCount, OrtStatus *, (const OrtSession *, size_t *))                         \
  X(31, SessionGetOutputCount, OrtStatus *, (const OrtSession *, size_t *))                        \
  X(33, SessionGetInputTypeInfo, OrtStatus *, (const OrtSession *, size_t, OrtTypeInfo **))        \
  X(34, SessionGetOutputTypeInfo, OrtStatus *, (const OrtSession *, size_t, OrtTypeInfo **))       \
  X(36, SessionGetInputName, OrtStatus *, (const OrtSession *, size_t, OrtAllocator *, char **))   \
  X(37, SessionGetOutputName, OrtStatus *, (const OrtSession *, size_t, OrtAllocator *, char **))  \
  X(49, CreateTensorWithDataAsOrtValue, OrtStatus *,                                               \
    (const OrtMemoryInfo *, void *, size_t bytes, const int64_t *shape, size_t rank, int dtype,    \
     OrtValue **))                                                                                 \
  X(50, IsTensor, OrtStatus *, (const OrtValue *, int *))                                          \
  X(51, GetTensorMutableData, OrtStatus *, (OrtValue *, void **))                                  \
  X(55, CastTypeInfoToTensorInfo, OrtStatus *, (const OrtTypeInfo *, const OrtShapeInfo **))       \
  X(56, GetOnnxTypeFromTypeInfo, OrtStatus *, (const OrtTypeInfo *, int *))                        \
  X(60, GetTensorElementType, OrtStatus *, (const OrtShapeInfo *, int *))                          \
  X(61, GetDimensionsCount, OrtStatus *, (const OrtShapeInfo *, size_t *))                         \
  X(62, GetDimensions, OrtStatus *, (const OrtShapeInfo *, int64_t *, size_t))                     \
  X(63, GetSymbolicDimensions, OrtStatus *, (const OrtShapeInfo *, const char **, size_t))         \
  X(65, GetTensorTypeAndShape, OrtStatus *, (const OrtValue *, OrtShapeInfo **))                   \
  X(69, CreateCpuMemoryInfo, OrtStatus *, (int allocator, int mem_type, OrtMemoryInfo **))         \
  X(76, AllocatorFree, OrtStatus *, (OrtAllocator *, void *))                                      \
  X(78, GetAllocatorWithDefaultOptions, OrtStatus *, (OrtAllocator **))                            \
  X(93, ReleaseStatus, void, (OrtStatus *))                                                        \
  X(95, ReleaseSession, void, (OrtSession *))                                                      \
  X(96, ReleaseValue, void, (OrtValue *))                                                          \
  X(98, ReleaseTypeInfo, void, (OrtTypeInfo *))                                                    \
  X(99, ReleaseShapeInfo, void, (OrtShapeInfo *))                                                  \
  X(100, ReleaseSessionOptions, void, (OrtSessionOptions *))                                       \
  X(104, CastTypeInfoToSequenceTypeInfo, OrtStatus *,                                              \
    (const OrtTypeInfo *, const OrtSequenceTypeInfo **))                                           \
  X(107, GetSequenceElementType, OrtStatus *, (const OrtSequenceTypeInfo *, OrtTypeInfo **))       \
  X(130, AddSessionConfigEntry, OrtStatus *, (OrtSessionOptions *, const char *, const char *))    \
  X(150, AddInitializer, OrtStatus *, (OrtSessionOptions *, const char *name, const OrtValue *))   \
  X(210, AddExternalInitializers, OrtStatus *,                                                     \
    (OrtSessionOptions *, const char *const *names, const OrtValue *const *, size_t))              \
  X(390, TensorTypeAndShape_HasShape, bool, (const OrtShapeInfo *))

typedef struct PtOrt {
#define PT_ORT_MEMBER(position, name, result, parameters) result(*name) parameters;
  PT_ORT_CALLS(PT_ORT_MEMBER)
#undef PT_ORT_MEMBER
} PtOrt;

/* Exported by the library as OrtGetApiBase(). */
typedef struct PtOrtBase {
  const void *(*GetApi)(uint32_t version);
  const char *(*GetVersionString)(void);
} PtOrtBase;

#endif
