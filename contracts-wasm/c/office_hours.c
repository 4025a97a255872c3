/* The twin of contracts-wasm/rules/office-hours, in C: records are read during office hours, unless the glass is broken.
 * The same entries, the same state, the same codes; the same cases hold for both. */

#include "salus.h"

enum { OUTSIDE_HOURS = 256, QUERY_HOURS = 0 };
enum { DAY_MINUTES = 24 * 60, OFFSET_MAX = 14 * 60, MINUTE_MS = 60000 };

static const uint8_t KEY = 'h';

struct hours {
    uint16_t opens;
    uint16_t closes;
    uint8_t days;
    int16_t offset;
};

static struct hours read_hours(struct salus_reader *input) {
    struct hours hours;
    hours.opens = (uint16_t)salus_number(input, UINT16_MAX);
    hours.closes = (uint16_t)salus_number(input, UINT16_MAX);
    hours.days = salus_byte(input);
    hours.offset = (int16_t)salus_signed(input, UINT16_MAX);
    salus_end(input);
    return hours;
}

static void put_hours(const struct hours *hours) {
    salus_put_number(hours->opens);
    salus_put_number(hours->closes);
    salus_put_byte(hours->days);
    salus_put_signed(hours->offset);
}

static bool load(struct hours *hours) {
    uint8_t bytes[16];
    int32_t length = salus_state_get(&KEY, 1, bytes, sizeof bytes);
    if (length < 0) {
        return false;
    }
    struct salus_reader stored = {bytes, bytes + length};
    *hours = read_hours(&stored);
    return true;
}

/* 1970-01-01 was a Thursday. */
static bool covers(const struct hours *hours, uint64_t time_ms) {
    uint64_t utc = time_ms / MINUTE_MS;
    int64_t local = (int64_t)utc + hours->offset;
    uint64_t shifted = local < 0 ? 0 : (uint64_t)local;
    uint64_t day = (shifted / DAY_MINUTES + 3) % 7;
    uint64_t minute = shifted % DAY_MINUTES;
    return (hours->days >> day & 1) && minute >= hours->opens && minute < hours->closes;
}

SALUS_ENTRY(salus_instantiate) {
    struct hours hours = read_hours(input);
    bool valid = hours.opens < hours.closes && hours.closes <= DAY_MINUTES && hours.days < 1 << 7 &&
                 hours.offset <= OFFSET_MAX && hours.offset >= -OFFSET_MAX;
    if (!valid) {
        salus_abort(SALUS_BAD_INPUT);
    }
    put_hours(&hours);
    salus_state_set(&KEY, 1, salus_out.bytes, salus_out.length);
    salus_out.length = 0;
    return salus_output();
}

SALUS_ENTRY(salus_query) {
    if (salus_byte(input) != QUERY_HOURS) {
        salus_abort(SALUS_UNKNOWN_ENTRY);
    }
    salus_end(input);
    struct hours hours;
    bool there = load(&hours);
    salus_put_byte(there);
    if (there) {
        put_hours(&hours);
    }
    return salus_output();
}

SALUS_ENTRY(salus_decide) {
    struct salus_request request = salus_read_request(input);
    struct hours hours;
    bool exempt = request.emergency || request.requester == request.patient;
    if (exempt || (load(&hours) && covers(&hours, (uint64_t)salus_time_ms()))) {
        return salus_abstain();
    }
    return salus_deny(OUTSIDE_HOURS);
}
