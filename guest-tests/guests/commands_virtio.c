#include "commands.h"
#include "interrupts.h"
#include "io.h"
#include "layout.h"
#include "virtio_mem.h"

#define WAIT_TIMEOUT_MS 60000

static u32 current;
static bool following;
static u32 follow_seen;

struct virtio_device* current_device(void) {
  if (device_count == 0) virtio_find();
  if (current >= device_count) fail("no such virtio device", NULL);
  return &devices[current];
}

static void run_list(const struct words* arguments) {
  (void)arguments;
  virtio_find();
  print("ok");
  for (u32 i = 0; i < device_count; i++) {
    print(" %u=type%u@%u.%u", (u64)i, (u64)devices[i].type, (u64)devices[i].at.device,
          (u64)devices[i].at.function);
  }
  print("\n");
}

static void run_use(const struct words* arguments) {
  current = number_at(arguments, 0);
  current_device();
  print("ok\n");
}

/* Without a wish: MSI-X where there is any. */
static enum irq_mode irq_option(const struct words* arguments, struct virtio_device* device) {
  const char* text = option(arguments, "irq");
  if (text == NULL)
    return pci_capability(device->at, PCI_CAPABILITY_MSIX, 0) != 0 ? IRQ_MSIX : IRQ_NONE;
  if (equal(text, "msix")) return IRQ_MSIX;
  if (equal(text, "intx")) return IRQ_INTX;
  if (equal(text, "none")) return IRQ_NONE;
  fail("irq must be msix, intx or none, not", text);
}

static void run_init(const struct words* arguments) {
  current = number_or(arguments, 0, 0);
  struct virtio_device* device = current_device();
  device->ring.size = 0;
  u64 offered = virtio_offered(device);
  u64 features = option_number(arguments, "features", offered & F_KNOWN);
  features &= ~option_number(arguments, "without", 0);
  const char* refused = virtio_negotiate(device, features);
  if (refused != NULL) fail(refused, NULL);
  virtio_setup_irq(device, irq_option(arguments, device));
  struct ring ring = default_ring(device);
  ring.size = option_number(arguments, "size", ring.size);
  ring.desc = option_number(arguments, "desc", ring.desc);
  ring.avail = option_number(arguments, "avail", ring.avail);
  ring.used = option_number(arguments, "used", ring.used);
  memset((void*)(RINGS_BASE + (u64)current * RING_AREA_SIZE), 0, RING_AREA_SIZE);
  device->indirect = option_number(arguments, "indirect", 0) != 0;
  virtio_setup_ring(device, &ring);
  virtio_driver_ok(device);
  if (ring.avail == default_ring(device).avail) want_used_interrupt(device, false);
  print("ok offered=%x features=%x queue-size=%u status=%x\n", offered, features, (u64)ring.size,
        (u64)virtio_status(device));
}

static void run_features(const struct words* arguments) {
  (void)arguments;
  print("ok %x\n", virtio_offered(current_device()));
}

static void run_status(const struct words* arguments) {
  struct virtio_device* device = current_device();
  if (arguments->count > 0) write8(device->common + COMMON_STATUS, number_at(arguments, 0));
  print("ok %x\n", (u64)virtio_status(device));
}

/* `base` is the address of a register block, the arguments are SIZE OFFSET [VALUE]. */
static void access_register(u64 base, const struct words* arguments) {
  u64 size = number_at(arguments, 0);
  u64 address = base + number_at(arguments, 1);
  if (arguments->count > 2) {
    u64 value = number_at(arguments, 2);
    if (size == 1) write8(address, value);
    if (size == 2) write16(address, value);
    if (size == 4) write32(address, value);
    if (size == 8) write64(address, value);
    print("ok\n");
    return;
  }
  u64 value = size == 1   ? read8(address)
              : size == 2 ? read16(address)
              : size == 4 ? read32(address)
                          : read64(address);
  print("ok %x\n", value);
}

static void run_common(const struct words* arguments) {
  access_register(current_device()->common, arguments);
}

static void run_config(const struct words* arguments) {
  access_register(current_device()->config, arguments);
}

static void run_isr(const struct words* arguments) {
  struct virtio_device* device = current_device();
  (void)arguments;
  u32 taken = intx_take_isr_bits(device_index(device));
  print("ok %x taken=%x\n", (u64)read8(device->isr), (u64)taken);
}

static void run_mem_config(const struct words* arguments) {
  (void)arguments;
  struct mem_config config = mem_read_config(current_device());
  print("ok block=%u node=%u addr=%x region=%u usable=%u plugged=%u requested=%u\n",
        config.block_size, config.node_id, config.address, config.region_size, config.usable_size,
        config.plugged_size, config.requested_size);
}

static void request(u16 type, const struct words* arguments) {
  struct virtio_device* device = need_ready(current_device());
  struct mem_response response =
      mem_request(device, type, number_or(arguments, 0, 0), number_or(arguments, 1, 0));
  static const char* const states[] = {"plugged", "unplugged", "mixed"};
  if (type == VIRTIO_MEM_REQ_STATE && response.type == VIRTIO_MEM_RESP_ACK) {
    print("ok ack %s\n", response.state < ARRAY_SIZE(states) ? states[response.state] : "unknown");
    return;
  }
  print("ok %s\n", response_name(response.type));
}

static void run_plug(const struct words* arguments) { request(VIRTIO_MEM_REQ_PLUG, arguments); }
static void run_unplug(const struct words* arguments) { request(VIRTIO_MEM_REQ_UNPLUG, arguments); }
static void run_state(const struct words* arguments) { request(VIRTIO_MEM_REQ_STATE, arguments); }
static void run_unplug_all(const struct words* arguments) {
  (void)arguments;
  struct words none = {.count = 0};
  request(VIRTIO_MEM_REQ_UNPLUG_ALL, &none);
}

static void run_sync(const struct words* arguments) {
  (void)arguments;
  u16 last = mem_follow(need_ready(current_device()));
  struct mem_config config = mem_read_config(current_device());
  print("ok %s plugged=%u requested=%u\n", response_name(last), config.plugged_size,
        config.requested_size);
}

void follow_idle(void) {
  if (!following) return;
  u32 seen = 0;
  for (u32 i = 0; i < device_count; i++) {
    seen += interrupts_of(VECTOR_CONFIG + i) + interrupts_of(VECTOR_INTX + i);
  }
  if (seen == follow_seen) return;
  follow_seen = seen;
  for (u32 i = 0; i < device_count; i++) {
    if (devices[i].ring.size != 0 && devices[i].type == VIRTIO_ID_MEM) mem_follow(&devices[i]);
  }
}

static void run_follow(const struct words* arguments) {
  following = arguments->count == 0 || !equal(arguments->word[0], "off");
  follow_seen = ~0u;
  print("ok\n");
}

static void run_wait_config(const struct words* arguments) {
  u32 seen = number_at(arguments, 0);
  u32 index = device_index(current_device());
  u64 end = rdtsc() + number_or(arguments, 1, WAIT_TIMEOUT_MS) * tsc_per_ms();
  for (;;) {
    u32 now = interrupts_of(VECTOR_CONFIG + index) + interrupts_of(VECTOR_INTX + index);
    if (now > seen) {
      print("ok %u\n", (u64)now);
      return;
    }
    if (rdtsc() > end) fail("no configuration interrupt", NULL);
    cpu_pause();
  }
}

const struct command virtio_commands[] = {
    {"virtio list", run_list, "every modern virtio device"},
    {"virtio init", run_init,
     "[DEVICE] [features=|without=MASK] [irq=msix|intx|none] [indirect=1] [size= desc= avail= "
     "used=]"},
    {"use", run_use, "DEVICE: the one that commands mean"},
    {"features", run_features, "what the device offers"},
    {"status", run_status, "[VALUE]: reads, or writes and reads, the device status"},
    {"common", run_common, "SIZE OFFSET [VALUE]: common configuration"},
    {"config", run_config, "SIZE OFFSET [VALUE]: device configuration"},
    {"isr", run_isr, "reads the ISR register; taken= what interrupt handlers have read"},
    {"mem config", run_mem_config, "the configuration space of a virtio-mem device"},
    {"plug", run_plug, "ADDRESS BLOCKS"},
    {"unplug", run_unplug, "ADDRESS BLOCKS"},
    {"unplug-all", run_unplug_all, "everything"},
    {"state", run_state, "ADDRESS BLOCKS"},
    {"sync", run_sync, "plugs or unplugs until plugged = requested"},
    {"follow", run_follow, "[off]: sync by itself at every configuration interrupt"},
    {"wait-config", run_wait_config,
     "SEEN [MS]: waits for more configuration interrupts than SEEN"},
    {NULL, NULL, NULL},
};
