#include "CMPIShim.h"

#if __has_include(<mpi.h>)
#include <mpi.h>
bool dt_mpi_built_in(void) { return true; }
#else
bool dt_mpi_built_in(void) { return false; }
#endif
