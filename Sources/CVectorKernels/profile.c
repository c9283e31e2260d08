// Records spans of time per thread, and wraps the vector kernels in spans.
#include "dt_profile.h"
#include <time.h>

int dt_profile_recordings;

static _Thread_local dt_recorder *thread_recorder;

void dt_profile_attach(dt_recorder *recorder) { thread_recorder = recorder; }

void dt_profile_change_recordings(int by) { __atomic_add_fetch(&dt_profile_recordings, by, __ATOMIC_SEQ_CST); }

uint64_t dt_profile_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

dt_span dt_profile_begin(dt_part part) {
    dt_recorder *recorder = thread_recorder;
    // The embedding calls kernels on single rows, and recording each call would take longer than the call.
    if (!recorder || recorder->part == DT_PART_EMBEDDING) return (dt_span){0, (int32_t)part, -2};
    dt_span span = {dt_profile_now(), (int32_t)part, recorder->part};
    if (span.outer >= 0) recorder->totals[span.outer] += span.start - recorder->mark;
    recorder->mark = span.start;
    recorder->part = (int32_t)part;
    return span;
}

void dt_profile_end(dt_span span) {
    dt_recorder *recorder = thread_recorder;
    if (!recorder || span.outer == -2) return;
    uint64_t now = dt_profile_now();
    recorder->totals[span.part] += now - recorder->mark;
    recorder->mark = now;
    recorder->part = span.outer;
    if (!recorder->events) return;
    if (recorder->count == recorder->capacity) {
        recorder->dropped++;
        return;
    }
    recorder->events[recorder->count++] = (dt_event){span.start, now, span.part};
}

// Set before the first wrapper can be called, and always to the same table.
static dt_kernels unrecorded;

#define RECORDED(name, part, parameters, arguments) \
    static void name parameters {                   \
        dt_span span = dt_profile_begin(part);      \
        unrecorded.name arguments;                        \
        dt_profile_end(span);                       \
    }

RECORDED(layer_norm_forward, DT_PART_LAYER_NORM,
         (float *y, float *mean, float *rstd, const float *x, const float *weight, const float *bias, size_t rows, size_t n,
          float epsilon),
         (y, mean, rstd, x, weight, bias, rows, n, epsilon))
RECORDED(layer_norm_backward, DT_PART_LAYER_NORM,
         (float *dx, const float *residual, const float *dy, const float *x, const float *weight, const float *mean,
          const float *rstd, size_t rows, size_t n),
         (dx, residual, dy, x, weight, mean, rstd, rows, n))
RECORDED(layer_norm_parameters, DT_PART_LAYER_NORM,
         (float *dweight, float *dbias, const float *dy, const float *x, const float *mean, const float *rstd, size_t rows,
          size_t n, size_t first, size_t last),
         (dweight, dbias, dy, x, mean, rstd, rows, n, first, last))
RECORDED(rms_norm_forward, DT_PART_LAYER_NORM,
         (float *y, float *mean, float *rstd, const float *x, const float *weight, const float *bias, size_t rows, size_t n,
          float epsilon),
         (y, mean, rstd, x, weight, bias, rows, n, epsilon))
RECORDED(rms_norm_backward, DT_PART_LAYER_NORM,
         (float *dx, const float *residual, const float *dy, const float *x, const float *weight, const float *mean,
          const float *rstd, size_t rows, size_t n),
         (dx, residual, dy, x, weight, mean, rstd, rows, n))

#define ACTIVATION(name)                                                                             \
    RECORDED(name##_forward, DT_PART_ACTIVATION, (float *y, const float *x, size_t count), (y, x, count)) \
    RECORDED(name##_backward, DT_PART_ACTIVATION, (float *dx, float *y, const float *x, size_t count), (dx, y, x, count))
ACTIVATION(gelu)
ACTIVATION(gelu_tanh)
ACTIVATION(relu)
ACTIVATION(relu_squared)
ACTIVATION(silu)

RECORDED(add_bias, DT_PART_BIAS, (float *y, const float *bias, size_t rows, size_t n), (y, bias, rows, n))
RECORDED(column_sums, DT_PART_BIAS, (float *sums, const float *x, size_t rows, size_t n, size_t first, size_t last),
         (sums, x, rows, n, first, last))
RECORDED(residual_forward, DT_PART_RESIDUAL,
         (float *y, const float *residual, const float *x, const float *bias, size_t rows, size_t n,
          const dt_dropout *dropout, size_t row, size_t tokens),
         (y, residual, x, bias, rows, n, dropout, row, tokens))
RECORDED(dropout_rows, DT_PART_DROPOUT,
         (float *y, const float *x, size_t rows, size_t n, const dt_dropout *dropout, size_t row, size_t tokens),
         (y, x, rows, n, dropout, row, tokens))

RECORDED(causal_softmax, DT_PART_ATTENTION,
         (float *scores, float *lse, size_t rows, size_t visible, size_t n, size_t leading, const dt_dropout *dropout,
          size_t row, size_t tokens),
         (scores, lse, rows, visible, n, leading, dropout, row, tokens))
RECORDED(causal_probabilities, DT_PART_ATTENTION,
         (float *scores, const float *lse, size_t rows, size_t visible, size_t n, size_t leading),
         (scores, lse, rows, visible, n, leading))
RECORDED(causal_softmax_backward, DT_PART_ATTENTION,
         (float *dp, float *p, const float *delta, float scale, size_t rows, size_t visible, size_t n, size_t leading,
          const dt_dropout *dropout, size_t row, size_t tokens),
         (dp, p, delta, scale, rows, visible, n, leading, dropout, row, tokens))
RECORDED(dot_rows, DT_PART_ATTENTION,
         (float *out, const float *a, size_t lead_a, const float *b, size_t lead_b, size_t rows, size_t n),
         (out, a, lead_a, b, lead_b, rows, n))

RECORDED(softmax_statistics, DT_PART_LOSS,
         (float *maximum, float *sum, const float *logits, size_t rows, size_t n, size_t leading),
         (maximum, sum, logits, rows, n, leading))
RECORDED(cross_entropy_backward, DT_PART_LOSS,
         (float *gradient, size_t lead, const float *logits, const float *lse, const int32_t *targets, float scale,
          size_t rows, size_t n, size_t leading, size_t first_column),
         (gradient, lead, logits, lse, targets, scale, rows, n, leading, first_column))
RECORDED(cross_entropy, DT_PART_LOSS,
         (float *loss, float *logits, const int32_t *targets, float scale, size_t rows, size_t n),
         (loss, logits, targets, scale, rows, n))

RECORDED(adamw, DT_PART_OPTIMIZER,
         (float *p, const float *g, float *m, float *v, size_t count, float lr, float beta1, float beta2, float eps,
          float decay, float bias1, float bias2, float gradient_scale),
         (p, g, m, v, count, lr, beta1, beta2, eps, decay, bias1, bias2, gradient_scale))

static double sum_squares(const float *x, size_t count) {
    dt_span span = dt_profile_begin(DT_PART_CLIPPING);
    double sum = unrecorded.sum_squares(x, count);
    dt_profile_end(span);
    return sum;
}

dt_kernels dt_kernels_recording(const dt_kernels *table) {
    unrecorded = *table;
    dt_kernels recording = unrecorded;
#define RECORD(name) recording.name = name;
    RECORD(layer_norm_forward)
    RECORD(layer_norm_backward)
    RECORD(layer_norm_parameters)
    RECORD(rms_norm_forward)
    RECORD(rms_norm_backward)
    RECORD(gelu_forward)
    RECORD(gelu_backward)
    RECORD(gelu_tanh_forward)
    RECORD(gelu_tanh_backward)
    RECORD(relu_forward)
    RECORD(relu_backward)
    RECORD(relu_squared_forward)
    RECORD(relu_squared_backward)
    RECORD(silu_forward)
    RECORD(silu_backward)
    RECORD(add_bias)
    RECORD(column_sums)
    RECORD(residual_forward)
    RECORD(dropout_rows)
    RECORD(causal_softmax)
    RECORD(causal_probabilities)
    RECORD(causal_softmax_backward)
    RECORD(dot_rows)
    RECORD(softmax_statistics)
    RECORD(cross_entropy_backward)
    RECORD(cross_entropy)
    RECORD(adamw)
    RECORD(sum_squares)
    return recording;
}
