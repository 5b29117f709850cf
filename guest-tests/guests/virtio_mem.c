#include "virtio_mem.h"

#include "io.h"
#include "layout.h"
#include "text.h"

#define BUFFERS_OFFSET 0x4000 /* in the ring area: 64 bytes for each request slot */
#define SLOT_SIZE 64
#define RESPONSE_OFFSET 32
#define INDIRECT_OFFSET 0x8000 /* two descriptors for each request slot */
#define REQUEST_TIMEOUT_MS 60000
#define FOLLOW_BLOCKS 64
#define FOLLOW_NACKS 100

struct virtio_device* need_ready(struct virtio_device* device) {
  if (device->ring.size == 0) fail("virtio init first", NULL);
  return device;
}

static u64 read_le64(u64 address) { return read32(address) | (u64)read32(address + 4) << 32; }

struct mem_config mem_read_config(struct virtio_device* device) {
  struct mem_config config;
  u8 generation;
  do {
    generation = read8(device->common + COMMON_GENERATION);
    config = (struct mem_config){
        .block_size = read_le64(device->config),
        .node_id = read16(device->config + 8),
        .address = read_le64(device->config + 16),
        .region_size = read_le64(device->config + 24),
        .usable_size = read_le64(device->config + 32),
        .plugged_size = read_le64(device->config + 40),
        .requested_size = read_le64(device->config + 48),
    };
  } while (read8(device->common + COMMON_GENERATION) != generation);
  return config;
}

static u64 area(const struct virtio_device* device) {
  return RINGS_BASE + device_index(device) * RING_AREA_SIZE;
}

u64 request_buffer(const struct virtio_device* device, u32 slot) {
  return area(device) + BUFFERS_OFFSET + slot * SLOT_SIZE;
}

u64 response_buffer(const struct virtio_device* device, u32 slot) {
  return request_buffer(device, slot) + RESPONSE_OFFSET;
}

u16 prepare_request(struct virtio_device* device, u32 slot, const struct mem_request* request) {
  u64 out = request_buffer(device, slot);
  u64 in = response_buffer(device, slot);
  write64(out, request->type);
  write64(out + 8, request->address);
  write64(out + 16, request->blocks);
  write64(in, ~0UL);
  write16(in + 8, 0xffff);
  u16 head = slot * 2;
  struct descriptor first = {out, REQUEST_SIZE, DESC_NEXT, head + 1};
  struct descriptor second = {in, RESPONSE_SIZE, DESC_WRITE, 0};
  if (device->indirect) {
    struct ring table = {.desc = area(device) + INDIRECT_OFFSET + slot * 32};
    first.next = 1;
    set_descriptor(&table, 0, first);
    set_descriptor(&table, 1, second);
    set_descriptor(&device->ring, head, (struct descriptor){table.desc, 32, DESC_INDIRECT, 0});
  } else {
    set_descriptor(&device->ring, head, first);
    set_descriptor(&device->ring, head + 1, second);
  }
  return head;
}

struct mem_response read_response(const struct virtio_device* device, u32 slot) {
  u64 in = response_buffer(device, slot);
  return (struct mem_response){read16(in), read16(in + 8)};
}

struct mem_response mem_request(struct virtio_device* device, u16 type, u64 address, u16 blocks) {
  struct mem_request request = {type, address, blocks};
  struct ring* ring = &device->ring;
  u32 slot = ring->avail_idx % (ring->size / 2);
  u16 old_idx = ring->avail_idx;
  u16 target = ring->used_idx + 1;
  make_available(ring, prepare_request(device, slot, &request));
  kick_if_wanted(device, old_idx);
  if (!wait_used(device, target, REQUEST_TIMEOUT_MS)) {
    bool broken = (virtio_status(device) & STATUS_NEEDS_RESET) != 0;
    fail(broken ? "needs-reset" : "no answer", NULL);
  }
  ring->used_idx = target;
  return read_response(device, slot);
}

const char* response_name(u16 type) {
  static const char* const names[] = {"ack", "nack", "busy", "error"};
  return type < ARRAY_SIZE(names) ? names[type] : "unknown";
}

u16 mem_follow(struct virtio_device* device) {
  for (int nacks = 0;;) {
    struct mem_config config = mem_read_config(device);
    bool grow = config.plugged_size < config.requested_size;
    u64 wanted = grow ? config.requested_size - config.plugged_size
                      : config.plugged_size - config.requested_size;
    u64 blocks = min_u64(wanted / config.block_size, FOLLOW_BLOCKS);
    if (blocks == 0) return VIRTIO_MEM_RESP_ACK;
    u64 end = config.address + config.plugged_size;
    struct mem_response response =
        grow ? mem_request(device, VIRTIO_MEM_REQ_PLUG, end, blocks)
             : mem_request(device, VIRTIO_MEM_REQ_UNPLUG, end - blocks * config.block_size, blocks);
    /* NACK: the requested size has just gone down; look again. */
    if (response.type == VIRTIO_MEM_RESP_NACK && nacks++ < FOLLOW_NACKS) continue;
    if (response.type != VIRTIO_MEM_RESP_ACK) return response.type;
  }
}
