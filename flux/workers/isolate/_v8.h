/*
 * Theory of operation
 *
 * WHAT IT GUARANTEES
 *   An isolate is driven by messages. One message is one step: its function call, then all the microtasks that it set
 *   off, then its outbox, one after the other, with nothing of another message between them. So whose clock, random
 *   stream and host calls the running code uses is never in doubt, however many executions are in flight. Every
 *   message that was accepted gives exactly one outcome, in the order of the messages.
 *
 * THREADS
 *   Two threads meet here: the loop's (Python) and the isolate's (made by mini-racer, V8's lock held, never the GIL).
 *   They share two lists and a few flags under one mutex that is never held while JavaScript runs. The isolate's thread
 *   takes messages and leaves outcomes; it rings the doorbell (an eventfd) only when the list of outcomes was empty.
 *   The loop's thread posts one task that empties the inbox ("the pump"), and only when none is posted or running.
 *
 * WHY NOT MR_EVAL
 *   Compiling a script for each message costs more than running it, and an evaluation returns before its microtasks
 *   run. The pump is a native function that mini-racer calls for us on the isolate's thread, inside a handle scope and
 *   a context; from there V8's own API is one call away. The library exports it; it carries no headers, so the few
 *   functions used are declared in FLUX_SYMBOLS below by their mangled names, and all of them are out of line in V8.
 *   What is taken for granted beyond that (a Local is one pointer, a PromiseRejectMessage is three words, HeapStatistics
 *   starts with size_t fields) is put to the proof by `initialise()`, on an isolate of its own, before any other is
 *   opened. The library's version is pinned; another one is refused.
 *
 * STOPPING A STEP
 *   `flux_kill` names the message that it means, and is refused when another one runs: both sides decide under the
 *   mutex. The pump takes a kill back (CancelTerminateExecution) when its step has ended, so that no termination ever
 *   hits a neighbour. Microtasks that a killed step left behind run at once, under its own identity and its own budget.
 *
 * MEMORY
 *   V8 is asked after each collection. What it counts as used then may still be garbage (a scavenge leaves the old space
 *   alone, and what is allocated while V8 marks survives that round), so above the limit the running step is interrupted
 *   for a full collection, and killed on the word of that one only. Array buffers count (mini-racer's own limit does not
 *   see them). If V8 itself gives up (a fatal error: an array too large for it, say), its thread is parked for
 *   good instead of taking the process with it: the isolate reports itself dead, the worker finishes what else it has and is replaced.
 *
 * READ FIRST: `flux_pump`, then `flux_send`.
 */
#ifndef FLUX_V8_H
#define FLUX_V8_H
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* mini-racer's value handle: packed, as its own Python layer declares it. */
#pragma pack(push, 1)
typedef struct {
    union { void *ptr; char *bytes; int64_t i; double d; } v;
    size_t len;
    uint8_t type;
} mr_value;
#pragma pack(pop)

static inline const char *mr_text(const mr_value *value) { return value->v.bytes; }
static inline size_t mr_length(const mr_value *value) { return value->len; }

typedef void (*mr_callback)(uint64_t, mr_value *);
typedef void *v8_local;             /* v8::Local<T>, v8::MaybeLocal<T>: one pointer, NULL = empty */
typedef void v8_isolate;
typedef struct { v8_local promise; int event; v8_local value; } v8_reject_message;
typedef uint16_t v8_maybe_bool;     /* v8::Maybe<bool>: two bytes, never looked at */

/* X(field, return type, arguments, symbol) */
#define FLUX_SYMBOLS(X) \
    X(mr_init_v8, void, (const char *, const char *), "mr_init_v8") \
    X(mr_v8_version, const char *, (void), "mr_v8_version") \
    X(mr_init_context, uint64_t, (mr_callback), "mr_init_context") \
    X(mr_free_context, void, (uint64_t), "mr_free_context") \
    X(mr_eval, uint64_t, (uint64_t, mr_value *, uint64_t), "mr_eval") \
    X(mr_alloc_string_val, mr_value *, (uint64_t, const char *, uint64_t, uint8_t), "mr_alloc_string_val") \
    X(mr_free_value, void, (uint64_t, mr_value *), "mr_free_value") \
    X(mr_heap_stats, mr_value *, (uint64_t), "mr_heap_stats") \
    X(mr_value_count, size_t, (uint64_t), "mr_value_count") \
    X(mr_context_count, size_t, (void), "mr_context_count") \
    X(mr_make_js_callback, mr_value *, (uint64_t, uint64_t), "mr_make_js_callback") \
    X(mr_call_function, uint64_t, (uint64_t, mr_value *, mr_value *, mr_value *, uint64_t), "mr_call_function") \
    X(current_isolate, v8_isolate *, (void), "_ZN2v87Isolate10GetCurrentEv") \
    X(current_context, v8_local, (v8_isolate *), "_ZN2v87Isolate17GetCurrentContextEv") \
    X(terminate, void, (v8_isolate *), "_ZN2v87Isolate18TerminateExecutionEv") \
    X(cancel_terminate, void, (v8_isolate *), "_ZN2v87Isolate24CancelTerminateExecutionEv") \
    X(request_interrupt, void, (v8_isolate *, void (*)(v8_isolate *, void *), void *), \
      "_ZN2v87Isolate16RequestInterruptEPFvPS0_PvES2_") \
    X(low_memory, void, (v8_isolate *), "_ZN2v87Isolate21LowMemoryNotificationEv") \
    X(set_reject_callback, void, (v8_isolate *, void (*)(v8_reject_message)), \
      "_ZN2v87Isolate24SetPromiseRejectCallbackEPFvNS_20PromiseRejectMessageEE") \
    X(add_gc_epilogue, void, (v8_isolate *, void (*)(v8_isolate *, int, int, void *), void *, int), \
      "_ZN2v87Isolate21AddGCEpilogueCallbackEPFvPS0_NS_6GCTypeENS_15GCCallbackFlagsEPvES4_S2_") \
    X(adjust_external, int64_t, (v8_isolate *, int64_t), "_ZN2v87Isolate37AdjustAmountOfExternalAllocatedMemoryEl") \
    X(heap_statistics, void, (v8_isolate *, void *), "_ZN2v87Isolate17GetHeapStatisticsEPNS_14HeapStatisticsE") \
    X(heap_statistics_init, void, (void *), "_ZN2v814HeapStatisticsC1Ev") \
    X(set_fatal_handler, void, (v8_isolate *, void (*)(const char *, const char *)), \
      "_ZN2v87Isolate20SetFatalErrorHandlerEPFvPKcS2_E") \
    X(set_print_stack_trace, void, (void (*)(void)), "_ZN2v84base18SetPrintStackTraceEPFvvE") \
    X(set_oom_handler, void, (v8_isolate *, void (*)(const char *, const void *)), \
      "_ZN2v87Isolate18SetOOMErrorHandlerEPFvPKcRKNS_10OOMDetailsEE") \
    X(checkpoint, void, (v8_isolate *), "_ZN2v87Isolate26PerformMicrotaskCheckpointEv") \
    X(object_at, v8_local, (void *, v8_local, uint32_t), "_ZN2v86Object3GetENS_5LocalINS_7ContextEEEj") \
    X(string_from_utf8, v8_local, (v8_isolate *, const char *, int, int), \
      "_ZN2v86String11NewFromUtf8EPNS_7IsolateEPKcNS_13NewStringTypeEi") \
    X(string_from_latin1, v8_local, (v8_isolate *, const uint8_t *, int, int), \
      "_ZN2v86String14NewFromOneByteEPNS_7IsolateEPKhNS_13NewStringTypeEi") \
    X(string_utf8_length, size_t, (void *, v8_isolate *), "_ZNK2v86String12Utf8LengthV2EPNS_7IsolateE") \
    X(string_write_utf8, size_t, (void *, v8_isolate *, char *, size_t, int, size_t *), \
      "_ZNK2v86String11WriteUtf8V2EPNS_7IsolateEPcmiPm") \
    X(number_new, v8_local, (v8_isolate *, double), "_ZN2v86Number3NewEPNS_7IsolateEd") \
    X(buffer_new, v8_local, (v8_isolate *, size_t, int), \
      "_ZN2v811ArrayBuffer3NewEPNS_7IsolateEmNS_30BackingStoreInitializationModeE") \
    X(buffer_data, void *, (void *), "_ZNK2v811ArrayBuffer4DataEv") \
    X(is_function, int, (void *), "_ZNK2v85Value10IsFunctionEv") \
    X(is_array, int, (void *), "_ZNK2v85Value7IsArrayEv") \
    X(globalize, v8_local, (v8_isolate *, uintptr_t), \
      "_ZN2v812api_internal18GlobalizeReferenceEPNS_8internal7IsolateEm") \
    X(call, v8_local, (void *, v8_isolate *, v8_local, v8_local, int, v8_local *), \
      "_ZN2v88Function4CallEPNS_7IsolateENS_5LocalINS_7ContextEEENS3_INS_5ValueEEEiPS7_") \
    X(script_compile, v8_local, (v8_local, v8_local, void *), \
      "_ZN2v86Script7CompileENS_5LocalINS_7ContextEEENS1_INS_6StringEEEPNS_12ScriptOriginE") \
    X(script_run, v8_local, (void *, v8_local), "_ZN2v86Script3RunENS_5LocalINS_7ContextEEE") \
    X(try_init, void, (void *, v8_isolate *), "_ZN2v88TryCatchC1EPNS_7IsolateE") \
    X(try_end, void, (void *), "_ZN2v88TryCatchD1Ev") \
    X(try_exception, v8_local, (const void *), "_ZNK2v88TryCatch9ExceptionEv")

#define X(field, result, args, symbol) result (*field) args;
static struct { FLUX_SYMBOLS(X) } v8;
#undef X

enum {
    MR_TYPE_STRING = 5,
    FLUX_PART_NONE = 0,     /* undefined */
    FLUX_PART_UTF8 = 1,
    FLUX_PART_LATIN1 = 2,   /* bytes as a string of the same length */
    FLUX_PART_BUFFER = 3,   /* bytes as an ArrayBuffer */
    FLUX_PARTS = 4,
    FLUX_BOOT = 0,          /* the bootstrap script: leaves the four entry functions */
    FLUX_SOURCE = 1,        /* a script: the function's bundle */
    FLUX_STATUS_OK = 0,
    FLUX_STATUS_FAILED = 1, /* the entry function itself threw: a bug of the bootstrap, or its stack overflowed */
    FLUX_STATUS_KILLED = 2, /* by flux_kill; `reason` says why */
    FLUX_STATUS_DEAD = 3,   /* V8 gave up; nothing more will come from this isolate */
    FLUX_REASON_MEMORY = 2,
    /* Outcomes handled in one go before mini-racer's own tasks get their turn; it also bounds the pump's handle scope. */
    FLUX_BATCH_MESSAGES = 64,
    FLUX_BATCH_BYTES = 1 << 20,
    V8_GC_ALL = 1 | 2 | 4,
    V8_REPLACE_INVALID_UTF8 = 2
};
/* What a killed step's leftovers and its last words may allocate above the limit. */
#define FLUX_LEFTOVER_HEAP ((size_t)32 << 20)

typedef struct flux_message {
    struct flux_message *next;
    uint64_t tag;
    int kind, execution, call, ok;
    double clock;
    uint8_t part_type[FLUX_PARTS];
    size_t part_len[FLUX_PARTS];
    char bytes[];
} flux_message;

typedef struct flux_outcome {
    struct flux_outcome *next;
    uint64_t tag;
    int64_t cpu_ns;
    int status, reason;
    size_t len;
    char bytes[];
} flux_outcome;

struct flux_isolate;
typedef struct { struct flux_isolate *owner; int kind; } flux_op;
enum { FLUX_OP_ENTER, FLUX_OP_RETURN, FLUX_OP_VALUE };

typedef struct flux_isolate {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    int doorbell;
    uint64_t context;
    mr_value *pump_function, *no_arguments;
    flux_op enter, back, value;
    flux_message *in_head, *in_tail;
    flux_outcome *out_head, *out_tail;
    int pumping, again, closing, dead;
    uint64_t running;           /* tag of the message whose step runs, 0 = none */
    int kill;                   /* reason, 0 = none */
    int64_t step_began_ns;      /* the thread's CPU clock when that step began */
    pthread_t thread;
    v8_isolate *isolate;
    v8_local dispatch, flush, rejected, handled;
    size_t heap_limit, heap_used, heap_external, heap_ceiling, heap_extra;
    int full_gc_asked;
} flux_isolate;

static __thread flux_isolate *flux_current;

static int64_t flux_cpu_ns(clockid_t clock) {
    struct timespec t;
    if (clock_gettime(clock, &t)) return 0;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void flux_ring(flux_isolate *self) {
    uint64_t one = 1;
    ssize_t done;
    do done = write(self->doorbell, &one, 8); while (done < 0 && errno == EINTR);
}

static void flux_leave(flux_isolate *self, flux_outcome *out) {
    out->next = NULL;
    pthread_mutex_lock(&self->lock);
    int empty = self->out_head == NULL;
    if (empty) self->out_head = out; else self->out_tail->next = out;
    self->out_tail = out;
    pthread_mutex_unlock(&self->lock);
    if (empty) flux_ring(self);
}

/* ---- what V8 calls on the isolate's thread ---- */

static void flux_park(const char *where, const void *details) {
    (void)where; (void)details;
    flux_isolate *self = flux_current;
    if (self == NULL) abort();  /* not one of ours: nothing is known of what state it is in */
    flux_outcome *out = calloc(1, sizeof *out);
    pthread_mutex_lock(&self->lock);
    self->dead = 1;
    if (out) out->tag = self->running;
    self->running = 0;
    pthread_mutex_unlock(&self->lock);
    if (out) {
        out->status = FLUX_STATUS_DEAD;
        out->reason = FLUX_REASON_MEMORY;
        flux_leave(self, out);
    }
    for (;;) pause();
}

static void flux_fatal(const char *where, const char *message) { flux_park(where, message); }

/* The last thing that V8 calls before it ends the process, on every way out of it; for some (an array that is too large
 * for it) the only one. It has said why on the standard error by then. */
static void flux_last_call(void) {
    if (flux_current != NULL) flux_park(NULL, NULL);
}

static void flux_stop_for_memory(flux_isolate *self) {
    pthread_mutex_lock(&self->lock);
    int stop = self->running != 0 && self->kill == 0;
    if (stop) self->kill = FLUX_REASON_MEMORY;
    pthread_mutex_unlock(&self->lock);
    if (stop) v8.terminate(self->isolate);
}

static void flux_measure_heap(flux_isolate *self) {
    size_t stats[64];           /* HeapStatistics has 15 fields; used_heap_size and heap_size_limit are 5th and 6th */
    memset(stats, 0, sizeof stats);
    v8.heap_statistics_init(stats);
    v8.heap_statistics(self->isolate, stats);
    self->heap_used = stats[4];
    self->heap_ceiling = stats[5];
    self->heap_external = (size_t)v8.adjust_external(self->isolate, 0);
}

static int flux_is_over(flux_isolate *self) { return self->heap_used + self->heap_external > self->heap_limit + self->heap_extra; }

/* Runs at the next point where V8 can be interrupted: a collection cannot be started from within the end of another. */
static void flux_full_gc(v8_isolate *isolate, void *data) {
    flux_isolate *self = data;
    v8.low_memory(isolate);
    flux_measure_heap(self);
    self->full_gc_asked = 0;
    if (flux_is_over(self)) flux_stop_for_memory(self);
}

static void flux_after_gc(v8_isolate *isolate, int type, int flags, void *data) {
    (void)type; (void)flags;
    flux_isolate *self = data;
    flux_measure_heap(self);
    if (flux_is_over(self) && !self->full_gc_asked) {
        self->full_gc_asked = 1;
        v8.request_interrupt(isolate, flux_full_gc, self);
    }
}

static void flux_on_reject(v8_reject_message message) {
    flux_isolate *self = flux_current;
    if (self == NULL || self->rejected == NULL || message.event > 1) return;
    v8_local args[2] = { message.promise, message.value };
    v8_local context = v8.current_context(self->isolate);
    if (message.event == 0) v8.call(self->rejected, self->isolate, context, self->rejected, message.value ? 2 : 1, args);
    else v8.call(self->handled, self->isolate, context, self->handled, 1, args);
}

/* ---- the pump: the isolate's thread ---- */

static int flux_is_killed(flux_isolate *self) { return __atomic_load_n(&self->kill, __ATOMIC_RELAXED) != 0; }

static v8_local flux_part(flux_isolate *self, uint8_t type, const char *bytes, size_t len) {
    v8_local buffer;
    switch (type) {
    case FLUX_PART_UTF8: return v8.string_from_utf8(self->isolate, bytes, 0, (int)len);
    case FLUX_PART_LATIN1: return v8.string_from_latin1(self->isolate, (const uint8_t *)bytes, 0, (int)len);
    case FLUX_PART_BUFFER:
        buffer = v8.buffer_new(self->isolate, len, 0);
        if (buffer && len) memcpy(v8.buffer_data(buffer), bytes, len);
        return buffer;
    default: return v8.number_new(self->isolate, 0);
    }
}

/* 0 = the call came back, -1 = it threw or was terminated. */
static int flux_dispatch(flux_isolate *self, v8_local context, flux_message *m, v8_local extra) {
    v8_local args[5 + FLUX_PARTS];
    args[0] = v8.number_new(self->isolate, m->kind);
    args[1] = v8.number_new(self->isolate, m->execution);
    args[2] = v8.number_new(self->isolate, m->call);
    args[3] = v8.number_new(self->isolate, m->clock);
    args[4] = v8.number_new(self->isolate, m->ok);
    int count = 5;
    if (extra) args[count++] = extra;
    else {
        const char *bytes = m->bytes;
        for (int i = 0; i < FLUX_PARTS && m->part_type[i]; i++) {
            args[count] = flux_part(self, m->part_type[i], bytes, m->part_len[i]);
            if (args[count++] == NULL) return -1;
            bytes += m->part_len[i];
        }
    }
    return v8.call(self->dispatch, self->isolate, context, self->dispatch, count, args) ? 0 : -1;
}

static v8_local flux_keep(flux_isolate *self, v8_local local) {
    return v8.globalize(self->isolate, *(uintptr_t *)local);
}

static int flux_boot(flux_isolate *self, v8_local context, v8_local entries) {
    v8_local entry[4];
    if (!(v8.is_array(entries) & 1)) return -1;
    for (uint32_t i = 0; i < 4; i++) {
        entry[i] = v8.object_at(entries, context, i);
        if (entry[i] == NULL || !(v8.is_function(entry[i]) & 1)) return -1;
    }
    self->dispatch = flux_keep(self, entry[0]);
    self->flush = flux_keep(self, entry[1]);
    self->handled = flux_keep(self, entry[3]);
    self->rejected = flux_keep(self, entry[2]);
    v8.add_gc_epilogue(self->isolate, flux_after_gc, self, V8_GC_ALL);
    v8.set_reject_callback(self->isolate, flux_on_reject);
    v8.set_fatal_handler(self->isolate, flux_fatal);
    v8.set_oom_handler(self->isolate, flux_park);
    /* A limit that V8's own heap cannot hold would let V8 give up before the limit is seen. */
    flux_measure_heap(self);
    if (self->heap_limit > self->heap_ceiling / 4 * 3) self->heap_limit = self->heap_ceiling / 4 * 3;
    return 0;
}

static int flux_run_script(flux_isolate *self, v8_local context, flux_message *m, void *attempt) {
    v8_local source = v8.string_from_utf8(self->isolate, m->bytes, 0, (int)m->part_len[0]);
    v8_local script = source ? v8.script_compile(context, source, NULL) : NULL;
    v8_local result = script ? v8.script_run(script, context) : NULL;
    if (m->kind == FLUX_BOOT) return result ? flux_boot(self, context, result) : -1;
    if (result) return flux_dispatch(self, context, m, v8.number_new(self->isolate, 0));
    if (flux_is_killed(self)) return -1;
    v8_local exception = v8.try_exception(attempt);
    m->ok = 0;
    return exception ? flux_dispatch(self, context, m, exception) : -1;
}

static flux_outcome *flux_collect(flux_isolate *self, v8_local context) {
    v8_local text = self->flush ? v8.call(self->flush, self->isolate, context, self->flush, 0, NULL) : NULL;
    size_t len = text ? v8.string_utf8_length(text, self->isolate) : 0;
    flux_outcome *out = malloc(sizeof *out + len + 1);
    if (out == NULL) return NULL;
    out->len = len ? v8.string_write_utf8(text, self->isolate, out->bytes, len, V8_REPLACE_INVALID_UTF8, NULL) : 0;
    return out;
}

/* Takes back a kill that has hit, and says why it was made. `end` also ends the step: flux_kill refuses its tag from
 * here on. While the isolate closes, the termination is mini-racer's and stays. */
static int flux_take_kill(flux_isolate *self, int end) {
    pthread_mutex_lock(&self->lock);
    int reason = self->kill;
    if (end) self->running = 0;
    if (reason && !self->closing) {
        self->kill = 0;
        v8.cancel_terminate(self->isolate);
    }
    pthread_mutex_unlock(&self->lock);
    return reason;
}

static flux_outcome *flux_step(flux_isolate *self, v8_local context, flux_message *m) {
    uint64_t attempt[32];       /* v8::TryCatch is six words */
    int reason = 0;
    v8.try_init(attempt, self->isolate);
    int failed = m->kind <= FLUX_SOURCE ? flux_run_script(self, context, m, attempt)
                                        : flux_dispatch(self, context, m, NULL);
    if (!flux_is_killed(self)) v8.checkpoint(self->isolate);
    if (flux_is_killed(self) && !self->closing) {
        /* What the step left in the microtask queue must not run under the next message's name. It runs now, can be
         * killed again, and V8 then empties the queue by itself. */
        reason = flux_take_kill(self, 0);
        self->heap_extra = FLUX_LEFTOVER_HEAP;
        v8.checkpoint(self->isolate);
    }
    int late = flux_take_kill(self, 1);
    reason = reason ? reason : late;
    flux_outcome *out = self->closing ? NULL : flux_collect(self, context);
    if (reason == FLUX_REASON_MEMORY && !self->closing) v8.low_memory(self->isolate);  /* is it garbage now? */
    if (m->kind <= FLUX_SOURCE && !self->closing) flux_measure_heap(self);
    self->heap_extra = 0;
    v8.try_end(attempt);
    if (out == NULL && !self->closing) {
        out = calloc(1, sizeof *out);
        failed = 1;
    }
    if (out == NULL) return NULL;
    out->status = reason ? FLUX_STATUS_KILLED : failed ? FLUX_STATUS_FAILED : FLUX_STATUS_OK;
    out->reason = reason;
    return out;
}

static flux_message *flux_next(flux_isolate *self, int more) {
    pthread_mutex_lock(&self->lock);
    flux_message *m = self->in_head;
    if (self->closing || m == NULL) {
        self->pumping = 0;
        m = NULL;
    } else if (!more) {
        self->again = 1;
        m = NULL;
    } else {
        self->in_head = m->next;
        self->running = m->tag;
        self->step_began_ns = flux_cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    }
    pthread_mutex_unlock(&self->lock);
    return m;
}

static void flux_pump(flux_isolate *self) {
    flux_current = self;
    pthread_mutex_lock(&self->lock);
    self->thread = pthread_self();
    self->isolate = v8.current_isolate();
    pthread_mutex_unlock(&self->lock);
    v8_local context = v8.current_context(self->isolate);
    size_t bytes = 0;
    flux_message *m;
    for (int count = 0; (m = flux_next(self, count < FLUX_BATCH_MESSAGES && bytes < FLUX_BATCH_BYTES)); count++) {
        for (int i = 0; i < FLUX_PARTS; i++) bytes += m->part_len[i];
        flux_outcome *out = flux_step(self, context, m);
        if (out) {
            bytes += out->len;
            out->tag = m->tag;
            out->cpu_ns = flux_cpu_ns(CLOCK_THREAD_CPUTIME_ID) - self->step_began_ns;
            flux_leave(self, out);
        }
        free(m);
    }
}

static void flux_post(flux_isolate *self) {
    v8.mr_call_function(self->context, self->pump_function, self->pump_function, self->no_arguments,
                        (uint64_t)(uintptr_t)&self->back);
}

static void flux_callback(uint64_t id, mr_value *value) {
    flux_op *op = (flux_op *)(uintptr_t)id;
    flux_isolate *self = op->owner;
    int again;
    switch (op->kind) {
    case FLUX_OP_ENTER:
        flux_pump(self);
        break;
    case FLUX_OP_RETURN:
        pthread_mutex_lock(&self->lock);
        again = self->again && !self->closing;
        self->again = 0;
        pthread_mutex_unlock(&self->lock);
        if (again) flux_post(self);
        break;
    default:
        pthread_mutex_lock(&self->lock);
        self->no_arguments = value;
        pthread_cond_signal(&self->opened);
        pthread_mutex_unlock(&self->lock);
        return;
    }
    v8.mr_free_value(self->context, value);
}

/* ---- the loop's thread ---- */

static const char *flux_load(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return dlerror();
#define X(field, result, args, symbol) \
    if ((*(void **)&v8.field = dlsym(library, symbol)) == NULL) return "missing symbol: " symbol;
    FLUX_SYMBOLS(X)
#undef X
    return NULL;
}

static void flux_started(void) { v8.set_print_stack_trace(flux_last_call); }

static flux_isolate *flux_open(size_t heap_limit) {
    flux_isolate *self = calloc(1, sizeof *self);
    if (self == NULL) return NULL;
    self->doorbell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->doorbell < 0) {
        free(self);
        return NULL;
    }
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->opened, NULL);
    self->heap_limit = heap_limit;
    self->enter = (flux_op){ self, FLUX_OP_ENTER };
    self->back = (flux_op){ self, FLUX_OP_RETURN };
    self->value = (flux_op){ self, FLUX_OP_VALUE };
    self->context = v8.mr_init_context(flux_callback);
    self->pump_function = v8.mr_make_js_callback(self->context, (uint64_t)(uintptr_t)&self->enter);
    mr_value *code = v8.mr_alloc_string_val(self->context, "[]", 2, MR_TYPE_STRING);
    v8.mr_eval(self->context, code, (uint64_t)(uintptr_t)&self->value);
    v8.mr_free_value(self->context, code);
    pthread_mutex_lock(&self->lock);
    while (self->no_arguments == NULL) pthread_cond_wait(&self->opened, &self->lock);
    pthread_mutex_unlock(&self->lock);
    return self;
}

static flux_message *flux_message_new(size_t bytes) {
    flux_message *m = malloc(sizeof *m + bytes);
    if (m) memset(m, 0, sizeof *m);
    return m;
}

/* Takes the message over. */
static void flux_send(flux_isolate *self, flux_message *m) {
    pthread_mutex_lock(&self->lock);
    if (self->in_head == NULL) self->in_head = m; else self->in_tail->next = m;
    self->in_tail = m;
    int post = !self->pumping && !self->closing;
    if (post) self->pumping = 1;
    pthread_mutex_unlock(&self->lock);
    if (post) flux_post(self);
}

static flux_outcome *flux_drain(flux_isolate *self) {
    uint64_t rings;
    ssize_t got = read(self->doorbell, &rings, 8);
    (void)got;
    pthread_mutex_lock(&self->lock);
    flux_outcome *list = self->out_head;
    self->out_head = self->out_tail = NULL;
    pthread_mutex_unlock(&self->lock);
    return list;
}

/* The tag of the running step (0 = none) and the CPU time that it has used, in nanoseconds. */
static uint64_t flux_running(flux_isolate *self, int64_t *cpu_ns) {
    clockid_t clock;
    pthread_mutex_lock(&self->lock);
    uint64_t tag = self->running;
    if (tag) *cpu_ns = pthread_getcpuclockid(self->thread, &clock) ? 0 : flux_cpu_ns(clock) - self->step_began_ns;
    pthread_mutex_unlock(&self->lock);
    return tag;
}

static int flux_kill(flux_isolate *self, uint64_t tag, int reason) {
    pthread_mutex_lock(&self->lock);
    int hit = self->running == tag && tag != 0 && !self->dead;
    if (hit) {
        if (self->kill == 0) self->kill = reason;
        v8.terminate(self->isolate);
    }
    pthread_mutex_unlock(&self->lock);
    return hit;
}

/* Blocks until the isolate's thread has ended. Must not be called when the isolate is dead or wedged. */
static void flux_close(flux_isolate *self) {
    pthread_mutex_lock(&self->lock);
    self->closing = 1;
    if (self->running && self->kill == 0) self->kill = FLUX_REASON_MEMORY;
    pthread_mutex_unlock(&self->lock);
    v8.mr_free_context(self->context);
    for (flux_message *m = self->in_head, *next; m; m = next) next = m->next, free(m);
    for (flux_outcome *o = self->out_head, *next; o; o = next) next = o->next, free(o);
    close(self->doorbell);
    pthread_cond_destroy(&self->opened);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
#endif
