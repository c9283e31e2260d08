// Flat functions over libarchive: archives and compressed files read from front to end, whatever they lie in.
// Where libarchive was absent when the program was built, opening gives nothing.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct dt_archive dt_archive;

/// Gives the next bytes of the archive, which stay valid until the next call: their number, 0 at the end, -1 after an error.
typedef ssize_t (*dt_archive_source)(void *context, const void **bytes);

bool dt_archive_built_in(void);

/// Tar or zip, in any compression that libarchive knows; a file that is only compressed is an archive of one member.
/// Null when there is no memory for it, or no libarchive.
dt_archive *dt_archive_open(dt_archive_source source, void *context);

/// Goes to the next member: 1, 0 at the end, -1 after an error.
int dt_archive_next(dt_archive *archive);

/// Of the member: its path, valid until the next one. Empty where there is none.
const char *dt_archive_member_name(const dt_archive *archive);

/// Whether the member is a regular file (no folder, no link).
bool dt_archive_member_is_file(const dt_archive *archive);

/// Whether what was opened is only compressed, and no archive.
bool dt_archive_is_only_compressed(const dt_archive *archive);

/// Reads from the member: the number of bytes, 0 at its end, -1 after an error.
ssize_t dt_archive_read(dt_archive *archive, void *bytes, size_t capacity);

/// What the last error was.
const char *dt_archive_error(const dt_archive *archive);

void dt_archive_close(dt_archive *archive);
