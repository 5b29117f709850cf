#include "virtio.h"

#include "io.h"

/* §2.7.6, §2.7.8: avail and used ring are flags, idx, then elements; an event index ends each. */
#define AVAIL_ENTRY(ring, i) ((ring)->avail + 4 + 2UL * ((i) % (ring)->size))
#define USED_EVENT(ring) ((ring)->avail + 4 + 2UL * (ring)->size)
#define USED_ENTRY(ring, i) ((ring)->used + 4 + 8UL * ((i) % (ring)->size))
#define AVAIL_EVENT(ring) ((ring)->used + 4 + 8UL * (ring)->size)
#define NO_NOTIFY 1
#define NO_INTERRUPT 1

#define PIT_HZ 1193182
#define CALIBRATION_MS 50

u8 virtio_status(const struct virtio_device* device) {
  return read8(device->common + COMMON_STATUS);
}

void set_descriptor(const struct ring* ring, u16 index, struct descriptor value) {
  *(volatile struct descriptor*)(ring->desc + 16UL * index) = value;
}

u16 used_index(const struct ring* ring) { return read16(ring->used + 2); }

struct used_element used_entry(const struct ring* ring, u16 index) {
  u64 entry = USED_ENTRY(ring, index);
  return (struct used_element){read32(entry), read32(entry + 4)};
}

void make_available(struct ring* ring, u16 head) {
  write16(AVAIL_ENTRY(ring, ring->avail_idx), head);
  ring->avail_idx++;
  write16(ring->avail + 2, ring->avail_idx);
  memory_barrier(); /* the index must be out before the event index is read */
}

void kick(const struct ring* ring) { write16(ring->notify, 0); }

void kick_if_wanted(const struct virtio_device* device, u16 old_idx) {
  const struct ring* ring = &device->ring;
  bool wanted;
  if ((device->features & F_EVENT_IDX) != 0) {
    u16 event = read16(AVAIL_EVENT(ring));
    wanted = (u16)(ring->avail_idx - event - 1) < (u16)(ring->avail_idx - old_idx);
  } else {
    wanted = (read16(ring->used) & NO_NOTIFY) == 0;
  }
  if (wanted) kick(ring);
}

void want_used_interrupt(const struct virtio_device* device, bool wanted) {
  const struct ring* ring = &device->ring;
  if ((device->features & F_EVENT_IDX) != 0) {
    /* An event index that is half the counter away does not come up. */
    write16(USED_EVENT(ring), wanted ? ring->used_idx : (u16)(ring->used_idx + 0x8000));
  } else {
    write16(ring->avail, wanted ? 0 : NO_INTERRUPT);
  }
  memory_barrier();
}

bool wait_used(struct virtio_device* device, u16 target, u64 timeout_ms) {
  struct ring* ring = &device->ring;
  u64 start = rdtsc();
  u64 next_look = 2;
  for (u64 spins = 1;; spins++) {
    if (used_index(ring) == target) return true;
    cpu_pause();
    if ((spins & 0x3ff) != 0) continue;
    u64 elapsed = (rdtsc() - start) / tsc_per_ms();
    if (elapsed < next_look) continue;
    /* The status register costs an exit, so look rarely. */
    if ((virtio_status(device) & STATUS_NEEDS_RESET) != 0) return used_index(ring) == target;
    if (elapsed >= timeout_ms) return false;
    next_look = elapsed + 2;
  }
}

u64 tsc_per_ms(void) {
  static u64 rate;
  if (rate == 0) {
    u32 count = PIT_HZ / 1000 * CALIBRATION_MS;
    out8(0x61, (in8(0x61) & ~2) | 1); /* gate of channel 2 on, speaker off */
    out8(0x43, 0xb0);                 /* channel 2, both bytes, mode 0: output rises at the end */
    out8(0x42, (u8)count);
    out8(0x42, (u8)(count >> 8));
    u64 start = rdtsc();
    while ((in8(0x61) & 0x20) == 0) cpu_pause();
    rate = (rdtsc() - start) / CALIBRATION_MS;
    if (rate == 0) rate = 1;
  }
  return rate;
}
