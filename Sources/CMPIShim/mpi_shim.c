#include "CMPIShim.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#if !defined(DT_NO_MPI) && __has_include(<mpi.h>)
#define DT_HAS_MPI 1
#include <mpi.h>
#endif

void dt_mpi_back_off(int round) {
    if (round < 8) {
        for (int i = 0; i < 32; i++) {
#if defined(__x86_64__) || defined(__i386__)
            __builtin_ia32_pause();
#elif defined(__aarch64__)
            __asm__ volatile("yield");
#endif
        }
        return;
    }
    const int doublings = (round - 8) / 8;
    const long microseconds = doublings > 3 ? 200 : 20L << doublings;
    const struct timespec time = {.tv_sec = 0, .tv_nsec = microseconds * 1000};
    nanosleep(&time, NULL);
}

#ifdef DT_HAS_MPI

// A handle is a pointer in one MPI and a number in another.
_Static_assert(sizeof(MPI_Comm) <= sizeof(uint64_t), "a communicator's handle");
_Static_assert(sizeof(MPI_Request) <= sizeof(uint64_t), "a request's handle");

static MPI_Comm communicator(const dt_mpi_world *world) {
    MPI_Comm communicator;
    memcpy(&communicator, &world->communicator, sizeof communicator);
    return communicator;
}

static int keep(int status, MPI_Request begun, dt_mpi_request *request) {
    if (status == MPI_SUCCESS) memcpy(&request->handle, &begun, sizeof begun);
    return status;
}

bool dt_mpi_built_in(void) { return true; }

int dt_mpi_library_version(char *text, int capacity) {
    char version[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    const int status = MPI_Get_library_version(version, &length);
    if (status == MPI_SUCCESS) snprintf(text, (size_t)capacity, "%.*s", length, version);
    return status;
}

void dt_mpi_error_text(int status, char *text, int capacity) {
    if (status == DT_MPI_STARTED_BEFORE) {
        snprintf(text, (size_t)capacity, "MPI was started before in this process");
        return;
    }
    char words[MPI_MAX_ERROR_STRING];
    int length = 0;
    if (MPI_Error_string(status, words, &length) == MPI_SUCCESS) {
        snprintf(text, (size_t)capacity, "%.*s", length, words);
    } else {
        snprintf(text, (size_t)capacity, "error %d of MPI", status);
    }
}

int dt_mpi_start(dt_mpi_world *world) {
    int was_started = 0;
    int status = MPI_Initialized(&was_started);
    if (status != MPI_SUCCESS) return status;
    if (was_started) return DT_MPI_STARTED_BEFORE;
    int provided = MPI_THREAD_SINGLE;
    status = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    if (status != MPI_SUCCESS) return status;

    // Without it any error ends the process before anybody is told.
    status = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm own = MPI_COMM_NULL;
    if (status == MPI_SUCCESS) status = MPI_Comm_dup(MPI_COMM_WORLD, &own);
    if (status == MPI_SUCCESS) status = MPI_Comm_set_errhandler(own, MPI_ERRORS_RETURN);
    if (status == MPI_SUCCESS) status = MPI_Comm_rank(own, &world->rank);
    if (status == MPI_SUCCESS) status = MPI_Comm_size(own, &world->size);
    if (status != MPI_SUCCESS) return status;
    world->communicator = 0;
    memcpy(&world->communicator, &own, sizeof own);
#ifdef __linux__
    // Sleeps of threads are lengthened by 50 us as a rule.
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
#endif
    return MPI_SUCCESS;
}

int dt_mpi_finish(dt_mpi_world *world) {
    MPI_Comm own = communicator(world);
    const int status = MPI_Comm_free(&own);
    return status == MPI_SUCCESS ? MPI_Finalize() : status;
}

int dt_mpi_send(const dt_mpi_world *world, const void *bytes, int count, int to, dt_mpi_request *request) {
    MPI_Request begun = MPI_REQUEST_NULL;
    return keep(MPI_Isend(bytes, count, MPI_BYTE, to, 0, communicator(world), &begun), begun, request);
}

int dt_mpi_receive(const dt_mpi_world *world, void *bytes, int count, int from, dt_mpi_request *request) {
    MPI_Request begun = MPI_REQUEST_NULL;
    return keep(MPI_Irecv(bytes, count, MPI_BYTE, from, 0, communicator(world), &begun), begun, request);
}

int dt_mpi_broadcast(const dt_mpi_world *world, void *bytes, int count, dt_mpi_request *request) {
    MPI_Request begun = MPI_REQUEST_NULL;
    return keep(MPI_Ibcast(bytes, count, MPI_BYTE, 0, communicator(world), &begun), begun, request);
}

int dt_mpi_barrier(const dt_mpi_world *world, dt_mpi_request *request) {
    MPI_Request begun = MPI_REQUEST_NULL;
    return keep(MPI_Ibarrier(communicator(world), &begun), begun, request);
}

int dt_mpi_test(dt_mpi_request *request, dt_mpi_state *state) {
    *state = (dt_mpi_state){0};
    MPI_Request tested;
    memcpy(&tested, &request->handle, sizeof tested);
    int is_done = 0;
    MPI_Status found;
    int status = MPI_Test(&tested, &is_done, &found);
    memcpy(&request->handle, &tested, sizeof tested);
    if (status != MPI_SUCCESS) {
        int class = MPI_SUCCESS;
        if (MPI_Error_class(status, &class) != MPI_SUCCESS || class != MPI_ERR_TRUNCATE) return status;
        state->is_done = true;
        state->is_cut = true;
        return MPI_SUCCESS;
    }
    if (!is_done) return MPI_SUCCESS;
    state->is_done = true;
    // Only a receive has a count; what is said of other requests is not looked at.
    return MPI_Get_count(&found, MPI_BYTE, &state->bytes);
}

void dt_mpi_cancel(dt_mpi_request *request) {
    MPI_Request begun;
    memcpy(&begun, &request->handle, sizeof begun);
    if (begun != MPI_REQUEST_NULL) MPI_Cancel(&begun);
}

int dt_mpi_sum(const dt_mpi_world *world, float *floats, int count) {
    return MPI_Allreduce(MPI_IN_PLACE, floats, count, MPI_FLOAT, MPI_SUM, communicator(world));
}

#else

bool dt_mpi_built_in(void) { return false; }

int dt_mpi_library_version(char *text, int capacity) {
    if (capacity > 0) *text = 0;
    return DT_MPI_NOT_BUILT_IN;
}

void dt_mpi_error_text(int status, char *text, int capacity) {
    (void)status;
    snprintf(text, (size_t)capacity, "built without MPI");
}

int dt_mpi_start(dt_mpi_world *world) {
    *world = (dt_mpi_world){0};
    return DT_MPI_NOT_BUILT_IN;
}

int dt_mpi_finish(dt_mpi_world *world) {
    (void)world;
    return DT_MPI_NOT_BUILT_IN;
}

int dt_mpi_send(const dt_mpi_world *world, const void *bytes, int count, int to, dt_mpi_request *request) {
    (void)world, (void)bytes, (void)count, (void)to, (void)request;
    return DT_MPI_NOT_BUILT_IN;
}

int dt_mpi_receive(const dt_mpi_world *world, void *bytes, int count, int from, dt_mpi_request *request) {
    (void)world, (void)bytes, (void)count, (void)from, (void)request;
    return DT_MPI_NOT_BUILT_IN;
}

int dt_mpi_broadcast(const dt_mpi_world *world, void *bytes, int count, dt_mpi_request *request) {
    (void)world, (void)bytes, (void)count, (void)request;
    return DT_MPI_NOT_BUILT_IN;
}

int dt_mpi_barrier(const dt_mpi_world *world, dt_mpi_request *request) {
    (void)world, (void)request;
    return DT_MPI_NOT_BUILT_IN;
}

int dt_mpi_test(dt_mpi_request *request, dt_mpi_state *state) {
    (void)request;
    *state = (dt_mpi_state){0};
    return DT_MPI_NOT_BUILT_IN;
}

void dt_mpi_cancel(dt_mpi_request *request) { (void)request; }

int dt_mpi_sum(const dt_mpi_world *world, float *floats, int count) {
    (void)world, (void)floats, (void)count;
    return DT_MPI_NOT_BUILT_IN;
}

#endif
