// OpenBLAS, found through pkg-config (apt: libopenblas-dev, brew: openblas).
#pragma once
#include <cblas.h>
