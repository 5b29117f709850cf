/* The ring by hand, for requests that no driver would make. */
#include "commands.h"
#include "console.h"
#include "io.h"
#include "layout.h"
#include "paging.h"
#include "virtio_mem.h"

#define WAIT_TIMEOUT_MS 30000

static struct ring* current_ring(void) { return &need_ready(current_device())->ring; }

static void run_ring(const struct words* arguments) {
  (void)arguments;
  struct virtio_device* device = need_ready(current_device());
  const struct ring* ring = &device->ring;
  print("ok size=%u desc=%x avail=%x used=%x request=%x response=%x avail-idx=%u used-idx=%u\n",
        (u64)ring->size, ring->desc, ring->avail, ring->used, request_buffer(device, 0),
        response_buffer(device, 0), (u64)ring->avail_idx, (u64)used_index(ring));
}

static void run_desc(const struct words* arguments) {
  struct descriptor value = {number_at(arguments, 1), number_at(arguments, 2),
                             number_at(arguments, 3), number_at(arguments, 4)};
  struct ring table = *current_ring();
  table.desc = option_number(arguments, "table", table.desc);
  set_descriptor(&table, number_at(arguments, 0), value);
  print("ok\n");
}

static void run_request(const struct words* arguments) {
  struct mem_request request = {number_at(arguments, 1), number_at(arguments, 2),
                                number_at(arguments, 3)};
  struct virtio_device* device = need_ready(current_device());
  print("ok head=%u\n", (u64)prepare_request(device, number_at(arguments, 0), &request));
}

static void run_response(const struct words* arguments) {
  struct mem_response response = read_response(current_device(), number_at(arguments, 0));
  print("ok type=%u state=%u\n", (u64)response.type, (u64)response.state);
}

static void run_avail(const struct words* arguments) {
  struct ring* ring = current_ring();
  for (int i = 0; i < arguments->count; i++) make_available(ring, number_at(arguments, i));
  print("ok idx=%u\n", (u64)ring->avail_idx);
}

static void run_avail_idx(const struct words* arguments) {
  struct ring* ring = current_ring();
  ring->avail_idx = number_at(arguments, 0);
  write16(ring->avail + 2, ring->avail_idx);
  print("ok\n");
}

static void run_kick(const struct words* arguments) {
  kick(current_ring());
  if (arguments->count > 0) {
    for (u64 i = 1; i < number_at(arguments, 0); i++) kick(current_ring());
  }
  print("ok\n");
}

/* Waits until the used index is TARGET, then shows the last element. */
static void run_used(const struct words* arguments) {
  struct virtio_device* device = need_ready(current_device());
  struct ring* ring = &device->ring;
  if (arguments->count > 0) {
    u64 timeout = number_or(arguments, 1, WAIT_TIMEOUT_MS);
    bool done = wait_used(device, number_at(arguments, 0), timeout);
    if (!done && (virtio_status(device) & STATUS_NEEDS_RESET) != 0) fail("needs-reset", NULL);
    if (!done) fail("no answer", NULL);
  }
  u16 idx = used_index(ring);
  struct used_element last = used_entry(ring, idx - 1);
  ring->used_idx = idx;
  print("ok idx=%u id=%u length=%u status=%x\n", (u64)idx, (u64)last.id, (u64)last.length,
        (u64)virtio_status(device));
}

static void run_wait_status(const struct words* arguments) {
  struct virtio_device* device = current_device();
  u8 mask = number_at(arguments, 0);
  u64 end = rdtsc() + number_or(arguments, 1, WAIT_TIMEOUT_MS) * tsc_per_ms();
  while ((virtio_status(device) & mask) != mask) {
    if (rdtsc() > end) fail("the status stays as it is", NULL);
  }
  print("ok %x\n", (u64)virtio_status(device));
}

static void run_used_irq(const struct words* arguments) {
  bool wanted = arguments->count == 0 || !equal(arguments->word[0], "off");
  want_used_interrupt(need_ready(current_device()), wanted);
  print("ok\n");
}

/* What came of many requests. */
struct tally {
  u64 answers[5]; /* by response type; the last for any other */
  bool ordered;
};

/* COUNT requests made available together, the addresses STEP apart. */
static void send_batch(struct virtio_device* device, struct mem_request request, u64 count,
                       u64 step, struct tally* tally) {
  struct ring* ring = &device->ring;
  u16 first = ring->avail_idx;
  u16 old_used = ring->used_idx;
  for (u64 i = 0; i < count; i++, request.address += step) {
    make_available(ring, prepare_request(device, i, &request));
  }
  kick_if_wanted(device, first);
  if (!wait_used(device, old_used + count, WAIT_TIMEOUT_MS)) fail("no answer", NULL);
  for (u64 i = 0; i < count; i++) {
    tally->ordered = tally->ordered && used_entry(ring, old_used + i).id == i * 2;
    u16 type = read_response(device, i).type;
    tally->answers[type < 4 ? type : 4]++;
  }
  ring->used_idx = old_used + count;
}

static void run_batch(const struct words* arguments) {
  struct virtio_device* device = need_ready(current_device());
  struct mem_request request = {number_at(arguments, 0), number_at(arguments, 1),
                                number_at(arguments, 2)};
  u64 count = number_at(arguments, 3);
  struct tally tally = {.ordered = true};
  if (count > device->ring.size / 2u) fail("more requests than slots", NULL);
  for (u64 round = 0; round < number_or(arguments, 5, 1); round++) {
    send_batch(device, request, count, number_at(arguments, 4), &tally);
  }
  print("ok ack=%u nack=%u busy=%u error=%u other=%u ordered=%s\n", tally.answers[0],
        tally.answers[1], tally.answers[2], tally.answers[3], tally.answers[4],
        tally.ordered ? "yes" : "no");
}

/* How many times the console is looked at: that costs an exit. */
#define STORM_BURST 100

static void run_storm(const struct words* arguments) {
  struct virtio_device* device = need_ready(current_device());
  bool kicks = arguments->count > 0 && equal(arguments->word[0], "kick");
  u64 address = mem_read_config(device).address;
  u64 count = 0;
  do {
    for (int i = 0; i < STORM_BURST; i++, count++) {
      if (kicks)
        kick(&device->ring);
      else
        mem_request(device, VIRTIO_MEM_REQ_STATE, address, 1);
    }
    if (count == STORM_BURST) print("storming\n");
  } while (!console_pending());
  print("ok n=%u\n", count);
}

const struct command ring_commands[] = {
    {"ring", run_ring, "where the rings and the buffers of slot 0 are"},
    {"desc", run_desc, "INDEX ADDRESS LENGTH FLAGS NEXT [table=ADDRESS]: writes a descriptor"},
    {"request", run_request, "SLOT TYPE ADDRESS BLOCKS: fills a slot without sending it"},
    {"response", run_response, "SLOT"},
    {"avail", run_avail, "HEAD…: makes chains available without a kick"},
    {"avail-idx", run_avail_idx, "VALUE: writes the avail index"},
    {"kick", run_kick, "[TIMES]"},
    {"used", run_used, "[TARGET [MS]]: waits for the used index; shows the last element"},
    {"used-irq", run_used_irq, "[off]: ask for an interrupt at the next used buffer"},
    {"wait-status", run_wait_status, "MASK [MS]: waits for bits of the device status"},
    {"batch", run_batch, "TYPE ADDRESS BLOCKS COUNT STEP [ROUNDS]: many requests, one kick"},
    {"storm", run_storm,
     "kick|state: says storming, then asks without a pause until there is input"},
    {NULL, NULL, NULL},
};
