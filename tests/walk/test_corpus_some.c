#define WALK_MODELS "resnet18.onnx mobilenet_v2.onnx distilbert_dynamic.onnx bilstm.onnx"
#include "test_corpus.c"
