// The flags of pkg-config's ompi-c come with this module; CMPIShim includes mpi.h itself, where it is there.
#pragma once
