#include "CArchiveShim.h"

#include <stdlib.h>

#if !defined(DT_NO_ARCHIVE) && __has_include(<archive.h>) && __has_include(<zlib.h>)
#define DT_HAS_ARCHIVE 1
#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <sys/stat.h>
#if __has_include(<xlocale.h>)
#include <xlocale.h>
#endif
#endif

#ifdef DT_HAS_ARCHIVE

struct dt_archive {
    struct archive *reader;
    struct archive_entry *member;
    dt_archive_source source;
    void *context;
    int opened;
    // Null where the system has no locale of UTF-8.
    locale_t utf8;
};

static la_ssize_t read_source(struct archive *reader, void *context, const void **bytes) {
    const dt_archive *archive = context;
    const ssize_t count = archive->source(archive->context, bytes);
    if (count < 0) archive_set_error(reader, -1, "it cannot be read");
    return count < 0 ? ARCHIVE_FATAL : count;
}

bool dt_archive_built_in(void) { return true; }

static void support(struct archive *reader, dt_archive_kind kind) {
    // One kind only: within a compressed stream, libarchive would go on with whatever the content looks like, and of
    // gzip it checks neither CRC nor length.
    switch (kind) {
    case DT_XZ: archive_read_support_filter_xz(reader); break;
    case DT_ZSTD: archive_read_support_filter_zstd(reader); break;
    case DT_BZIP2: archive_read_support_filter_bzip2(reader); break;
    case DT_LZ4: archive_read_support_filter_lz4(reader); break;
    case DT_MEMBERS:
        // Not all formats: some are told by so little that a plain text can pass for one.
        archive_read_support_format_tar(reader);
        archive_read_support_format_zip_streamable(reader);
        // Members of a second tar behind the first one's end are no less there.
        archive_read_set_options(reader, "read_concatenated_archives");
        return;
    }
    archive_read_support_format_empty(reader);
    archive_read_support_format_raw(reader);
}

dt_archive *dt_archive_open(dt_archive_kind kind, dt_archive_source source, void *context) {
    dt_archive *archive = calloc(1, sizeof *archive);
    if (!archive) return NULL;
    archive->reader = archive_read_new();
    if (!archive->reader) {
        free(archive);
        return NULL;
    }
    archive->source = source;
    archive->context = context;
    archive->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!archive->utf8) archive->utf8 = newlocale(LC_CTYPE_MASK, "en_US.UTF-8", (locale_t)0);
    support(archive->reader, kind);
    archive->opened = archive_read_open(archive->reader, archive, NULL, read_source, NULL);
    return archive;
}

static int next_header(dt_archive *archive) {
    switch (archive_read_next_header(archive->reader, &archive->member)) {
    case ARCHIVE_OK:
    // A name that is not UTF-8, for one: the member is there all the same, and its name as it is.
    case ARCHIVE_WARN: return 1;
    case ARCHIVE_EOF: return 0;
    default: return -1;
    }
}

// libarchive converts names to the locale of the thread, and drops those that do not fit it: in UTF-8 they stay.
int dt_archive_next(dt_archive *archive) {
    archive->member = NULL;
    if (archive->opened != ARCHIVE_OK) return -1;
    if (!archive->utf8) return next_header(archive);
    const locale_t previous = uselocale(archive->utf8);
    const int result = next_header(archive);
    if (archive->member) archive_entry_pathname(archive->member);
    uselocale(previous);
    return result;
}

const char *dt_archive_member_name(const dt_archive *archive) {
    return archive->member ? archive_entry_pathname(archive->member) : NULL;
}

bool dt_archive_member_is_file(const dt_archive *archive) {
    if (!archive->member || archive_entry_hardlink(archive->member)) return false;
    return archive_entry_filetype(archive->member) == AE_IFREG;
}

bool dt_archive_is_zip(const dt_archive *archive) {
    return (archive_format(archive->reader) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_ZIP;
}

int dt_archive_compressions(const dt_archive *archive) { return archive_filter_count(archive->reader) - 1; }

long long dt_archive_used(const dt_archive *archive) { return archive_filter_bytes(archive->reader, -1); }

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
    if (archive->utf8) freelocale(archive->utf8);
    free(archive);
}

#else

bool dt_archive_built_in(void) { return false; }
dt_archive *dt_archive_open(dt_archive_kind kind, dt_archive_source source, void *context) {
    (void)kind, (void)source, (void)context;
    return NULL;
}
int dt_archive_next(dt_archive *archive) {
    (void)archive;
    return -1;
}
const char *dt_archive_member_name(const dt_archive *archive) {
    (void)archive;
    return NULL;
}
bool dt_archive_member_is_file(const dt_archive *archive) {
    (void)archive;
    return false;
}
bool dt_archive_is_zip(const dt_archive *archive) {
    (void)archive;
    return false;
}
int dt_archive_compressions(const dt_archive *archive) {
    (void)archive;
    return 0;
}
long long dt_archive_used(const dt_archive *archive) {
    (void)archive;
    return 0;
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
