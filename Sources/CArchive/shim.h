// The flags of pkg-config's libarchive come with this module; CArchiveShim includes archive.h itself, where it is there.
#pragma once
