/* Round trips of requests as the guest sees them, in nanoseconds. */
#include "commands.h"
#include "io.h"
#include "layout.h"
#include "virtio_mem.h"

static u64* const samples = (u64*)SAMPLES_BASE;

static void sift_down(u64 root, u64 count) {
  for (;;) {
    u64 child = 2 * root + 1;
    if (child >= count) return;
    if (child + 1 < count && samples[child + 1] > samples[child]) child++;
    if (samples[root] >= samples[child]) return;
    u64 value = samples[root];
    samples[root] = samples[child];
    samples[child] = value;
    root = child;
  }
}

static void sort_samples(u64 count) {
  for (u64 i = count / 2; i-- > 0;) sift_down(i, count);
  for (u64 end = count; end-- > 1;) {
    u64 top = samples[0];
    samples[0] = samples[end];
    samples[end] = top;
    sift_down(0, end);
  }
}

static u64 to_ns(u64 ticks) { return ticks * 1000000 / tsc_per_ms(); }

static void report(u64 count) {
  u64 total = 0;
  if (count == 0) fail("nothing measured", NULL);
  for (u64 i = 0; i < count; i++) total += samples[i];
  sort_samples(count);
  print("ok n=%u min=%u p50=%u p90=%u p99=%u max=%u total=%u\n", count, to_ns(samples[0]),
        to_ns(samples[count / 2]), to_ns(samples[count * 9 / 10]), to_ns(samples[count * 99 / 100]),
        to_ns(samples[count - 1]), to_ns(total));
}

static void be_silent(u64 ticks) {
  u64 end = rdtsc() + ticks;
  while (rdtsc() < end) cpu_pause();
}

static u64 timed_request(struct virtio_device* device, u16 type, u64 address, u16 blocks) {
  u64 start = rdtsc();
  struct mem_response response = mem_request(device, type, address, blocks);
  u64 ticks = rdtsc() - start;
  if (response.type != VIRTIO_MEM_RESP_ACK) fail("answered", response_name(response.type));
  return ticks;
}

struct bench {
  struct virtio_device* device;
  struct mem_config config;
  u64 count, silence_ticks;
};

static struct bench bench_of(const struct words* arguments) {
  struct bench bench = {.device = need_ready(current_device())};
  bench.config = mem_read_config(bench.device);
  bench.count = min_u64(number_or(arguments, 0, 1000), SAMPLES_MAX);
  bench.silence_ticks = option_number(arguments, "silence", 0) * tsc_per_ms() / 1000;
  return bench;
}

/*
 * Plugs or unplugs (`timed`) single blocks one after the other, and does the opposite untimed when
 * there are no more. The first block stays plugged, so that no memslot comes and goes.
 */
static void run_blocks(const struct words* arguments, u16 timed) {
  struct bench bench = bench_of(arguments);
  u64 block = bench.config.block_size;
  u64 first = bench.config.address + block;
  u64 blocks = min_u64(bench.config.requested_size, GIB) / block;
  if (blocks < 2) fail("needs a requested size of two blocks or more", NULL);
  blocks--;
  bool plug = timed == VIRTIO_MEM_REQ_PLUG;
  mem_request(bench.device, VIRTIO_MEM_REQ_UNPLUG_ALL, 0, 0);
  timed_request(bench.device, VIRTIO_MEM_REQ_PLUG, bench.config.address, 1);
  if (!plug) timed_request(bench.device, VIRTIO_MEM_REQ_PLUG, first, blocks);
  for (u64 i = 0; i < bench.count; i++) {
    if (i > 0 && i % blocks == 0) {
      u16 opposite = plug ? VIRTIO_MEM_REQ_UNPLUG : VIRTIO_MEM_REQ_PLUG;
      timed_request(bench.device, opposite, first, blocks);
    }
    be_silent(bench.silence_ticks);
    samples[i] = timed_request(bench.device, timed, first + i % blocks * block, 1);
  }
  mem_request(bench.device, VIRTIO_MEM_REQ_UNPLUG_ALL, 0, 0);
  report(bench.count);
}

static void run_plug(const struct words* arguments) { run_blocks(arguments, VIRTIO_MEM_REQ_PLUG); }
static void run_unplug(const struct words* arguments) {
  run_blocks(arguments, VIRTIO_MEM_REQ_UNPLUG);
}

static void run_state(const struct words* arguments) {
  struct bench bench = bench_of(arguments);
  if (bench.config.usable_size == 0) fail("needs a requested size", NULL);
  for (u64 i = 0; i < bench.count; i++) {
    be_silent(bench.silence_ticks);
    samples[i] = timed_request(bench.device, VIRTIO_MEM_REQ_STATE, bench.config.address, 1);
  }
  report(bench.count);
}

/* The doorbell alone, with nothing new in the ring. */
static void run_kick(const struct words* arguments) {
  struct bench bench = bench_of(arguments);
  for (u64 i = 0; i < bench.count; i++) {
    be_silent(bench.silence_ticks);
    u64 start = rdtsc();
    kick(&bench.device->ring);
    samples[i] = rdtsc() - start;
  }
  report(bench.count);
}

/* Requests of 64 blocks each until plugged = requested, or COUNT of them. */
static void run_plug64(const struct words* arguments) {
  struct bench bench = bench_of(arguments);
  u64 step = 64 * bench.config.block_size;
  u64 count = min_u64(number_or(arguments, 0, SAMPLES_MAX), bench.config.requested_size / step);
  mem_request(bench.device, VIRTIO_MEM_REQ_UNPLUG_ALL, 0, 0);
  for (u64 i = 0; i < count; i++) {
    be_silent(bench.silence_ticks);
    u64 address = bench.config.address + i * step;
    samples[i] = timed_request(bench.device, VIRTIO_MEM_REQ_PLUG, address, 64);
  }
  report(count);
}

static void run_unplug_all(const struct words* arguments) {
  struct bench bench = bench_of(arguments);
  samples[0] = timed_request(bench.device, VIRTIO_MEM_REQ_UNPLUG_ALL, 0, 0);
  report(1);
}

const struct command bench_commands[] = {
    {"bench plug64", run_plug64, "[COUNT] [silence=US]: 64 blocks a request, stays plugged"},
    {"bench plug", run_plug, "[COUNT] [silence=US]: one block a request"},
    {"bench unplug-all", run_unplug_all, "once"},
    {"bench unplug", run_unplug, "[COUNT] [silence=US]: one block a request"},
    {"bench kick", run_kick, "[COUNT] [silence=US]: the doorbell alone"},
    {"bench state", run_state, "[COUNT] [silence=US]: one block a request"},
    {NULL, NULL, NULL},
};
