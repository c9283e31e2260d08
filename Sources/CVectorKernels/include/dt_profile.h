// Records which part of a step each thread spends its time on. Without a recording this costs almost nothing: callers
// use the plain kernel table, and a span around other code only tests a flag.
#pragma once
#include "CVectorKernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The parts of a step, in the order of `Part` in Swift.
typedef enum {
    DT_PART_LINEAR_FORWARD,
    DT_PART_LINEAR_INPUT_GRADIENT,
    DT_PART_LINEAR_WEIGHT_GRADIENT,
    DT_PART_PACKING,
    DT_PART_ATTENTION_PRODUCTS,
    DT_PART_HEAD_PRODUCTS,
    DT_PART_ATTENTION,
    DT_PART_ACTIVATION,
    DT_PART_LAYER_NORM,
    DT_PART_LOSS,
    DT_PART_DROPOUT,
    DT_PART_RESIDUAL,
    DT_PART_BIAS,
    DT_PART_EMBEDDING,
    DT_PART_OPTIMIZER,
    DT_PART_CLIPPING,
    DT_PART_GRADIENT_ZEROING,
    DT_PART_WAITING_FOR_RANKS,
    DT_PART_IDLE,
    DT_PART_OTHER,
    DT_PART_COUNT
} dt_part;

/// A finished span, in nanoseconds of the monotonic clock.
typedef struct {
    uint64_t start, end;
    int32_t part;
} dt_event;

/// What one thread records. While an inner span runs, the outer span's time stops, so the totals add up to the time
/// spent in spans.
typedef struct {
    uint64_t totals[DT_PART_COUNT];  ///< nanoseconds
    uint64_t mark;                   ///< the totals cover the time up to here
    int32_t part;                    ///< of the innermost open span, or -1
    dt_event *events;                ///< room for `capacity`, or NULL
    size_t capacity, count;
    size_t dropped;  ///< spans that were not stored because `events` was full
} dt_recorder;

/// An open span. `outer` is the part of the enclosing span, -1 without one, or -2 if this thread records nothing.
typedef struct {
    uint64_t start;
    int32_t part, outer;
} dt_span;

/// Makes this thread record into `recorder`; NULL stops it. The caller keeps ownership of the memory.
void dt_profile_attach(dt_recorder *recorder);

/// The number of active recordings. While it is above 0, spans look for their thread's recorder. The code that attaches
/// recorders changes it.
extern int dt_profile_recordings;
void dt_profile_change_recordings(int by);

static inline bool dt_profile_is_on(void) { return __atomic_load_n(&dt_profile_recordings, __ATOMIC_RELAXED) > 0; }

dt_span dt_profile_begin(dt_part part);
void dt_profile_end(dt_span span);

uint64_t dt_profile_now(void);

/// Returns a copy of `table` whose kernels also record their time. `table` must be the same at every call. Kernels that
/// this function does not know are copied unchanged.
dt_kernels dt_kernels_recording(const dt_kernels *table);

#ifdef __cplusplus
}
#endif
