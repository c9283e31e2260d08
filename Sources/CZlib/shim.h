// The flags of pkg-config's zlib come with this module; CArchiveShim includes zlib.h itself, where it is there.
#pragma once
