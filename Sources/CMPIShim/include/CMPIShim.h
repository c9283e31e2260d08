// MPI as flat functions, so that Swift needs none of its macros. Where mpi.h was absent at build time, or DT_NO_MPI is
// defined, every function answers DT_MPI_NOT_BUILT_IN. One thread starts MPI, makes every call and ends it.
//
// Nothing is allocated and nothing kept here: handles live in the caller's structures. Functions return 0, a code of MPI, or
// one of the two below; dt_mpi_error_text puts each in words. Only dt_mpi_sum, dt_mpi_start and dt_mpi_finish block.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
    DT_MPI_NOT_BUILT_IN = -1,
    /// MPI can be started once in a process.
    DT_MPI_STARTED_BEFORE = -2,
};

/// All ranks of a job, with a communicator of our own.
typedef struct {
    uint64_t communicator;
    int rank;
    int size;
} dt_mpi_world;

/// Something that goes on. May be moved in memory, and lasts until it is found done.
typedef struct {
    uint64_t handle;
} dt_mpi_request;

typedef struct {
    bool is_done;
    /// Of a received message: longer than its place, so that the rest is lost.
    bool is_cut;
    /// Of a received message that is not cut.
    int bytes;
} dt_mpi_state;

/// Whether MPI was there at build time.
bool dt_mpi_built_in(void);

/// The name and version of the linked library, before or after dt_mpi_start.
int dt_mpi_library_version(char *text, int capacity);

/// What a status means. `capacity` of 512 is enough for any.
void dt_mpi_error_text(int status, char *text, int capacity);

/// MPI_Init_thread for calls from the calling thread only. Without a launcher it makes a world of one rank. Lets the calling
/// thread sleep for as short as dt_mpi_back_off asks.
int dt_mpi_start(dt_mpi_world *world);

/// MPI_Finalize. Waits for all ranks.
int dt_mpi_finish(dt_mpi_world *world);

/// Begins to send. The bytes must stay as they are until the request is done.
int dt_mpi_send(const dt_mpi_world *world, const void *bytes, int count, int to, dt_mpi_request *request);

/// Begins to receive the next message from a rank: messages come in the order in which they were sent.
int dt_mpi_receive(const dt_mpi_world *world, void *bytes, int count, int from, dt_mpi_request *request);

/// Begins to bring the bytes of rank 0 to every rank.
int dt_mpi_broadcast(const dt_mpi_world *world, void *bytes, int count, dt_mpi_request *request);

/// Begins to wait for all ranks to come here.
int dt_mpi_barrier(const dt_mpi_world *world, dt_mpi_request *request);

/// Moves everything that goes on forward, and says whether this request is done. Never waits.
int dt_mpi_test(dt_mpi_request *request, dt_mpi_state *state);

/// Cancels a receive. It must still be tested: if no message had met it, the next test finds it done, and nothing was received.
/// Otherwise it goes on as if it had not been cancelled.
void dt_mpi_cancel(dt_mpi_request *request);

/// MPI_Allreduce: sums over all ranks, in place.
int dt_mpi_sum(const dt_mpi_world *world, float *floats, int count);

/// What a thread does between tests that found nothing: pauses at first, then sleeps that grow from 20 to 200 us.
/// `round` counts those tests from 0.
void dt_mpi_back_off(int round);
