/* The interface salus0 for C: what a contract imports and exports, and the canonical encoding of what it is asked.
 *
 * runtime/abi/src/host.rs describes every call. Build with build.sh, which lies beside this file.
 *
 * A contract includes this file once and defines the entry points it has, by SALUS_ENTRY. Every call runs in a fresh
 * instance: nothing but state survives it.
 */
#ifndef SALUS_H
#define SALUS_H

#include <stdbool.h>
#include <stdint.h>

#define SALUS_IMPORT(name) __attribute__((import_module("salus0"), import_name(#name))) extern
#define SALUS_EXPORT(name) __attribute__((export_name(#name)))

/* Reads return the value's full length, and -1 if there is none; they copy at most `cap` bytes. */
SALUS_IMPORT(state_get) int32_t salus_state_get(const void *key, int32_t key_len, void *out, int32_t cap);
SALUS_IMPORT(state_set) void salus_state_set(const void *key, int32_t key_len, const void *value, int32_t len);
SALUS_IMPORT(state_del) void salus_state_del(const void *key, int32_t key_len);
SALUS_IMPORT(caller) int32_t salus_caller(void);
SALUS_IMPORT(height) int64_t salus_height(void);
SALUS_IMPORT(time_ms) int64_t salus_time_ms(void);
SALUS_IMPORT(has_role) int32_t salus_has_role(int32_t principal, int32_t role);
SALUS_IMPORT(organisation_of) int32_t salus_organisation_of(int32_t principal);
SALUS_IMPORT(event_emit) void salus_event_emit(const void *data, int32_t len);
SALUS_IMPORT(abort) _Noreturn void salus_abort(int32_t code);

/* Codes that are the same in every contract. */
enum { SALUS_BAD_INPUT = 4, SALUS_UNKNOWN_ENTRY = 0xff00 };

/* Bytes of an input, at most. */
#define SALUS_MESSAGE_MAX 65536

static uint8_t salus_room[SALUS_MESSAGE_MAX];

SALUS_EXPORT(salus_abi_1) void salus_abi_1(void) {}

/* One input a run, and every run begins anew: one room is enough. */
SALUS_EXPORT(salus_alloc) int32_t salus_alloc(int32_t len) {
    if (len < 0 || len > SALUS_MESSAGE_MAX) {
        salus_abort(SALUS_BAD_INPUT);
    }
    return (int32_t)(uintptr_t)salus_room;
}

/* Defines an entry point: SALUS_ENTRY(salus_decide) { ... return salus_output(&writer); }, with `input` to read from. */
#define SALUS_ENTRY(name)                                                                                              \
    static int64_t name##_body(struct salus_reader *input);                                                            \
    SALUS_EXPORT(name) int64_t name(int32_t at, int32_t len) {                                                         \
        struct salus_reader input = {(const uint8_t *)(uintptr_t)at, (const uint8_t *)(uintptr_t)at + len};            \
        return name##_body(&input);                                                                                    \
    }                                                                                                                  \
    static int64_t name##_body(struct salus_reader *input)

/* Reads canonical bytes; whatever is none ends the call with SALUS_BAD_INPUT. */
struct salus_reader {
    const uint8_t *at;
    const uint8_t *end;
};

static uint8_t salus_byte(struct salus_reader *input) {
    if (input->at >= input->end) {
        salus_abort(SALUS_BAD_INPUT);
    }
    return *input->at++;
}

/* A number of at most `max`: one byte below 251, else 251, 252 or 253 and 2, 4 or 8 bytes, the highest first. */
static uint64_t salus_number(struct salus_reader *input, uint64_t max) {
    uint8_t first = salus_byte(input);
    uint64_t number = first;
    if (first >= 251) {
        if (first > 253) {
            salus_abort(SALUS_BAD_INPUT);
        }
        number = 0;
        for (int left = 2 << (first - 251); left > 0; left--) {
            number = number << 8 | salus_byte(input);
        }
    }
    if (number > max) {
        salus_abort(SALUS_BAD_INPUT);
    }
    return number;
}

static int64_t salus_signed(struct salus_reader *input, uint64_t max) {
    uint64_t number = salus_number(input, max);
    return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

static bool salus_flag(struct salus_reader *input) {
    uint8_t byte = salus_byte(input);
    if (byte > 1) {
        salus_abort(SALUS_BAD_INPUT);
    }
    return byte == 1;
}

/* All of an input must be read. */
static void salus_end(const struct salus_reader *input) {
    if (input->at != input->end) {
        salus_abort(SALUS_BAD_INPUT);
    }
}

/* Writes canonical bytes, at most 64 of them. */
struct salus_writer {
    int32_t length;
    uint8_t bytes[64];
};

static struct salus_writer salus_out;

static void salus_put_byte(uint8_t byte) {
    if (salus_out.length >= (int32_t)sizeof salus_out.bytes) {
        __builtin_trap();
    }
    salus_out.bytes[salus_out.length++] = byte;
}

static void salus_put_number(uint32_t number) {
    int bytes = number < 251 ? 0 : number < 1u << 16 ? 2 : 4;
    if (bytes == 0) {
        salus_put_byte((uint8_t)number);
        return;
    }
    salus_put_byte(bytes == 2 ? 251 : 252);
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
        salus_put_byte((uint8_t)(number >> shift));
    }
}

static void salus_put_signed(int32_t number) {
    salus_put_number((uint32_t)number << 1 ^ (uint32_t)(number >> 31));
}

/* What an entry point returns: the place of what was written. */
static int64_t salus_output(void) {
    return (int64_t)((uint64_t)(uintptr_t)salus_out.bytes << 32 | (uint32_t)salus_out.length);
}

/* What a rule is asked, field by field as runtime/abi/src/access.rs has it. */
struct salus_request {
    uint32_t patient;
    uint32_t record;
    uint32_t class;
    uint32_t requester;
    uint32_t purpose;
    bool emergency;
};

enum { SALUS_CLASSES = 7, SALUS_PURPOSES = 7 };
enum { SALUS_NOTIFY_PATIENT = 1, SALUS_REVIEW = 2 };

static struct salus_request salus_read_request(struct salus_reader *input) {
    struct salus_request request;
    request.patient = (uint32_t)salus_number(input, UINT32_MAX);
    request.record = (uint32_t)salus_number(input, UINT32_MAX);
    request.class = (uint32_t)salus_number(input, SALUS_CLASSES - 1);
    request.requester = (uint32_t)salus_number(input, UINT32_MAX);
    request.purpose = (uint32_t)salus_number(input, SALUS_PURPOSES - 1);
    request.emergency = salus_flag(input);
    salus_end(input);
    return request;
}

static int64_t salus_abstain(void) {
    salus_put_number(0);
    return salus_output();
}

/* A rule's own reasons begin at 256. */
static int64_t salus_deny(uint16_t reason) {
    salus_put_number(1);
    salus_put_number(reason);
    return salus_output();
}

static int64_t salus_oblige(uint8_t obligations) {
    salus_put_number(2);
    salus_put_byte(obligations);
    return salus_output();
}

#endif
