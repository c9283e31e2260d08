// Where the time of a step goes, thread by thread. Costs nothing while nobody records: the kernels' table is then the plain
// one, and spans around other code begin with one test of a flag.
#pragma once
#include "CVectorKernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/// What time is spent on, in the order of Swift's `Part`.
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

/// A finished span; nanoseconds of the monotonic clock.
typedef struct {
    uint64_t start, end;
    int32_t part;
} dt_event;

/// What one thread records. A span within a span stops the outer one's time: totals add up to the time in spans.
typedef struct {
    uint64_t totals[DT_PART_COUNT];  ///< nanoseconds
    uint64_t mark;                   ///< up to here time is in the totals
    int32_t part;                    ///< of the innermost span, or -1
    dt_event *events;                ///< room for `capacity`, or NULL
    size_t capacity, count;
    size_t dropped;  ///< spans that found no room
} dt_recorder;

/// An open span; `outer` is -2 when this thread records nothing.
typedef struct {
    uint64_t start;
    int32_t part, outer;
} dt_span;

/// This thread records into `recorder` from now on; NULL: into none. The memory stays the caller's.
void dt_profile_attach(dt_recorder *recorder);

/// How many recordings are going on; above 0 spans look for a recorder of their thread. Changed by the one who attaches.
extern int dt_profile_recordings;
void dt_profile_change_recordings(int by);

static inline bool dt_profile_is_on(void) { return __atomic_load_n(&dt_profile_recordings, __ATOMIC_RELAXED) > 0; }

dt_span dt_profile_begin(dt_part part);
void dt_profile_end(dt_span span);

uint64_t dt_profile_now(void);

/// `real` with its vector loops exchanged for ones that record themselves; `real` must be the same at every call.
/// Entries that are not known here stay as they are.
dt_kernels dt_kernels_recording(const dt_kernels *table);

#ifdef __cplusplus
}
#endif
