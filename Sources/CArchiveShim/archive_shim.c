#include "CArchiveShim.h"

#include <stdlib.h>

#if !defined(DT_NO_ARCHIVE) && __has_include(<archive.h>)
#define DT_HAS_ARCHIVE 1
#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#endif

#ifdef DT_HAS_ARCHIVE

struct dt_archive {
    struct archive *reader;
    struct archive_entry *member;
    dt_archive_source source;
    void *context;
    int opened;
};

static la_ssize_t read_source(struct archive *reader, void *context, const void **bytes) {
    const dt_archive *archive = context;
    const ssize_t count = archive->source(archive->context, bytes);
    if (count < 0) archive_set_error(reader, -1, "it cannot be read");
    return count < 0 ? ARCHIVE_FATAL : count;
}

bool dt_archive_built_in(void) { return true; }

dt_archive *dt_archive_open(dt_archive_source source, void *context) {
    dt_archive *archive = calloc(1, sizeof *archive);
    if (!archive) return NULL;
    archive->reader = archive_read_new();
    if (!archive->reader) {
        free(archive);
        return NULL;
    }
    archive->source = source;
    archive->context = context;
    archive_read_support_filter_all(archive->reader);
    // Not all formats: some are told by so little that a plain text can pass for one.
    archive_read_support_format_tar(archive->reader);
    archive_read_support_format_zip_streamable(archive->reader);
    archive_read_support_format_empty(archive->reader);
    archive_read_support_format_raw(archive->reader);
    archive->opened = archive_read_open(archive->reader, archive, NULL, read_source, NULL);
    return archive;
}

int dt_archive_next(dt_archive *archive) {
    archive->member = NULL;
    if (archive->opened != ARCHIVE_OK) return -1;
    switch (archive_read_next_header(archive->reader, &archive->member)) {
    case ARCHIVE_OK:
    // A name that does not fit the locale, for one: the member is there all the same.
    case ARCHIVE_WARN: return 1;
    case ARCHIVE_EOF: return 0;
    default: return -1;
    }
}

const char *dt_archive_member_name(const dt_archive *archive) {
    const char *name = archive->member ? archive_entry_pathname(archive->member) : NULL;
    return name ? name : "";
}

bool dt_archive_member_is_file(const dt_archive *archive) {
    if (!archive->member || archive_entry_hardlink(archive->member)) return false;
    return archive_entry_filetype(archive->member) == AE_IFREG;
}

bool dt_archive_is_only_compressed(const dt_archive *archive) {
    return (archive_format(archive->reader) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_RAW;
}

ssize_t dt_archive_read(dt_archive *archive, void *bytes, size_t capacity) {
    const la_ssize_t count = archive_read_data(archive->reader, bytes, capacity);
    return count < 0 ? -1 : count;
}

const char *dt_archive_error(const dt_archive *archive) {
    const char *text = archive_error_string(archive->reader);
    return text ? text : "unknown error";
}

void dt_archive_close(dt_archive *archive) {
    archive_read_free(archive->reader);
    free(archive);
}

#else

bool dt_archive_built_in(void) { return false; }
dt_archive *dt_archive_open(dt_archive_source source, void *context) {
    (void)source, (void)context;
    return NULL;
}
int dt_archive_next(dt_archive *archive) {
    (void)archive;
    return -1;
}
const char *dt_archive_member_name(const dt_archive *archive) {
    (void)archive;
    return "";
}
bool dt_archive_member_is_file(const dt_archive *archive) {
    (void)archive;
    return false;
}
bool dt_archive_is_only_compressed(const dt_archive *archive) {
    (void)archive;
    return false;
}
ssize_t dt_archive_read(dt_archive *archive, void *bytes, size_t capacity) {
    (void)archive, (void)bytes, (void)capacity;
    return -1;
}
const char *dt_archive_error(const dt_archive *archive) {
    (void)archive;
    return "";
}
void dt_archive_close(dt_archive *archive) { (void)archive; }

#endif
