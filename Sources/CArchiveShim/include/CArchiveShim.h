// Flat functions over libarchive and zlib: archives and compressed files read from front to end, whatever they lie in.
// Where one of the libraries was absent when the program was built, opening gives nothing.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/// Whether both libraries are there.
bool dt_archive_built_in(void);

// MARK: - Archives, and compressed files but for gzip, by libarchive

typedef struct dt_archive dt_archive;

/// Gives the next bytes of the archive, which stay valid until the next call: their number, 0 at the end, -1 after an error.
typedef ssize_t (*dt_archive_source)(void *context, const void **bytes);

/// What is opened: an archive of members, or one compressed stream, which counts as an archive of one member.
typedef enum { DT_MEMBERS, DT_XZ, DT_ZSTD, DT_BZIP2, DT_LZ4 } dt_archive_kind;

/// Null when there is no memory for it, or no libarchive.
dt_archive *dt_archive_open(dt_archive_kind kind, dt_archive_source source, void *context);

/// Goes to the next member: 1, 0 at the end, -1 after an error.
int dt_archive_next(dt_archive *archive);

/// Of the member: its path in the bytes that the archive has, valid until the next one. Null where it cannot be had.
const char *dt_archive_member_name(const dt_archive *archive);

/// Whether the member is a regular file (no folder, no link).
bool dt_archive_member_is_file(const dt_archive *archive);

/// Whether the archive is a zip, and no tar.
bool dt_archive_is_zip(const dt_archive *archive);

/// How often the content is compressed: 0 of an archive, 2 where a compressed stream holds another of its kind.
int dt_archive_compressions(const dt_archive *archive);

/// Bytes of the source that were used.
long long dt_archive_used(const dt_archive *archive);

/// Reads from the member: the number of bytes, 0 at its end, -1 after an error.
ssize_t dt_archive_read(dt_archive *archive, void *bytes, size_t capacity);

/// What the last error was.
const char *dt_archive_error(const dt_archive *archive);

void dt_archive_close(dt_archive *archive);

// MARK: - One member of a gzip file after the other, by zlib, which checks CRC and length

typedef struct dt_gzip dt_gzip;

/// Null when there is no memory for it, or no zlib.
dt_gzip *dt_gzip_open(void);

/// Goes on within a member.
///
/// `input_count` is the number of bytes at `input`, and becomes that of those which were not used; `output_count` likewise
/// the room at `output`, and then what is left of it.
/// Gives 0 when it goes on, 1 at the member's end, -1 after an error.
int dt_gzip_inflate(dt_gzip *gzip, const void *input, size_t *input_count, void *output, size_t *output_count);

/// Begins the next member.
void dt_gzip_restart(dt_gzip *gzip);

/// What the last error was.
const char *dt_gzip_error(const dt_gzip *gzip);

void dt_gzip_close(dt_gzip *gzip);
