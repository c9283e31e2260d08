// MPI as flat functions, so that Swift needs none of its macros. Where mpi.h was absent at build time, every function
// answers "not built in". One thread initializes MPI, makes every call and finalizes it.
#pragma once
#include <stdbool.h>

/// Whether MPI was there at build time.
bool dt_mpi_built_in(void);
