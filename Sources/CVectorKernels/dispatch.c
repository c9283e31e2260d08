// Selects the instruction set at first use.
#include "CVectorKernels.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

extern const dt_kernels dt_kernels_plain;
#if defined(__x86_64__)
extern const dt_kernels dt_kernels_avx2;
extern const dt_kernels dt_kernels_avx512;
#endif

const dt_kernels *dt_kernels_named(const char *isa) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (strcmp(isa, "avx512") == 0) {
        bool present = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
        return present ? &dt_kernels_avx512 : NULL;
    }
    if (strcmp(isa, "avx2") == 0) {
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &dt_kernels_avx2 : NULL;
    }
#endif
    return strcmp(isa, "plain") == 0 || strcmp(isa, dt_kernels_plain.isa) == 0 ? &dt_kernels_plain : NULL;
}

static const dt_kernels *chosen;

static void choose(void) {
    const char *forced = getenv("DDP_TRAIN_ISA");
    if (forced && *forced) {
        chosen = dt_kernels_named(forced);
        return;
    }
    static const char *const fastest_first[] = {"avx512", "avx2", "plain"};
    for (size_t i = 0; i < sizeof fastest_first / sizeof *fastest_first && !chosen; i++) {
        chosen = dt_kernels_named(fastest_first[i]);
    }
}

const dt_kernels *dt_kernels_get(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, choose);
    return chosen;
}

uint64_t dt_flush_denormals(void) {
#if defined(__x86_64__)
    unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040);  // flush to zero, denormals are zero
    return mode;
#elif defined(__aarch64__)
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    __asm__ volatile("msr fpcr, %0" : : "r"(mode | (1ull << 24)));
    return mode;
#else
    return 0;
#endif
}

void dt_restore_denormals(uint64_t mode) {
#if defined(__x86_64__)
    _mm_setcsr((unsigned)mode);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#else
    (void)mode;
#endif
}

void dt_pause(void) {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}
