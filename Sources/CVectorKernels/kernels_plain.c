// The baseline that every machine of the architecture supports: SSE2 on x86-64, NEON on arm64.
#if defined(__aarch64__)
#define DT_ISA "neon"
#else
#define DT_ISA "plain"
#endif
#define DT_TABLE dt_kernels_plain
#define VECTOR_WIDTH 4
#include "vector_kernels.inc"
