#include "CArchiveShim.h"

#include <limits.h>
#include <stdlib.h>

#if !defined(DT_NO_ARCHIVE) && __has_include(<archive.h>) && __has_include(<zlib.h>)
#include <zlib.h>

struct dt_gzip {
    z_stream stream;
};

// The largest window, and a gzip header.
#define GZIP_WINDOW (15 + 16)

dt_gzip *dt_gzip_open(void) {
    dt_gzip *gzip = calloc(1, sizeof *gzip);
    if (gzip && inflateInit2(&gzip->stream, GZIP_WINDOW) == Z_OK) return gzip;
    free(gzip);
    return NULL;
}

int dt_gzip_inflate(dt_gzip *gzip, const void *input, size_t *input_count, void *output, size_t *output_count) {
    z_stream *stream = &gzip->stream;
    const uInt offered = (uInt)(*input_count < UINT_MAX ? *input_count : UINT_MAX);
    const uInt room = (uInt)(*output_count < UINT_MAX ? *output_count : UINT_MAX);
    stream->next_in = (Bytef *)input;
    stream->avail_in = offered;
    stream->next_out = output;
    stream->avail_out = room;
    const int result = inflate(stream, Z_NO_FLUSH);
    *input_count -= offered - stream->avail_in;
    *output_count -= room - stream->avail_out;
    switch (result) {
    case Z_OK:
    // No progress was possible: more input is needed.
    case Z_BUF_ERROR: return 0;
    case Z_STREAM_END: return 1;
    default: return -1;
    }
}

void dt_gzip_restart(dt_gzip *gzip) { inflateReset(&gzip->stream); }

const char *dt_gzip_error(const dt_gzip *gzip) { return gzip->stream.msg ? gzip->stream.msg : "unknown error"; }

void dt_gzip_close(dt_gzip *gzip) {
    inflateEnd(&gzip->stream);
    free(gzip);
}

#else

dt_gzip *dt_gzip_open(void) { return NULL; }
int dt_gzip_inflate(dt_gzip *gzip, const void *input, size_t *input_count, void *output, size_t *output_count) {
    (void)gzip, (void)input, (void)input_count, (void)output, (void)output_count;
    return -1;
}
void dt_gzip_restart(dt_gzip *gzip) { (void)gzip; }
const char *dt_gzip_error(const dt_gzip *gzip) {
    (void)gzip;
    return "";
}
void dt_gzip_close(dt_gzip *gzip) { (void)gzip; }

#endif
