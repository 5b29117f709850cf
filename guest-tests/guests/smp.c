/* The other CPUs: INIT and start-up IPIs (Intel SDM vol. 3 §9.4.4), and one job for them. */
#include "commands.h"
#include "interrupts.h"
#include "io.h"
#include "layout.h"
#include "paging.h"
#include "platform.h"

#define ICR_INIT 0x4500
#define ICR_STARTUP 0x4600
#define ICR_FIXED 0x4000
#define START_TIMEOUT_MS 20000

extern u8 trampoline[], trampoline_end[];
extern volatile u32 cpus_online;
u64 smp_job_address, smp_job_length;
static volatile u64 rounds;

static void pause_ms(u64 ms) {
  u64 end = rdtsc() + ms * tsc_per_ms();
  while (rdtsc() < end) cpu_pause();
}

static u8 own_apic_id(void) { return read32(LAPIC_BASE + 0x20) >> 24; }

static void send_to_others(u32 command) {
  for (u32 i = 0; i < platform.cpus; i++) {
    if (platform.apic_ids[i] != own_apic_id()) lapic_send(platform.apic_ids[i], command);
  }
}

static void run_start(const struct words* arguments) {
  (void)arguments;
  if (cpus_online == 1) {
    memcpy((void*)TRAMPOLINE_BASE, trampoline, trampoline_end - trampoline);
    send_to_others(ICR_INIT);
    pause_ms(10);
    send_to_others(ICR_STARTUP | TRAMPOLINE_BASE >> 12);
  }
  u64 end = rdtsc() + START_TIMEOUT_MS * tsc_per_ms();
  while (cpus_online < platform.cpus && rdtsc() < end) cpu_pause();
  print("ok online=%u of %u\n", (u64)cpus_online, (u64)platform.cpus);
}

/* What the other CPUs do once there is a job: write to every page of the range, for ever. */
__attribute__((noreturn, used)) void smp_worker(void) {
  for (;;) {
    for (u64 at = smp_job_address; at < smp_job_address + smp_job_length; at += 4096) {
      write64(at, at | 1);
    }
    rounds++;
  }
}

static void run_touch(const struct words* arguments) {
  u64 address = number_at(arguments, 0);
  u64 length = number_at(arguments, 1);
  if (cpus_online < 2) fail("smp start first", NULL);
  map(address, length);
  smp_job_length = length;
  smp_job_address = address;
  send_to_others(ICR_FIXED | VECTOR_WAKE);
  while (rounds == 0) cpu_pause();
  print("ok\n");
}

static void run_rounds(const struct words* arguments) {
  (void)arguments;
  print("ok %u\n", rounds);
}

const struct command smp_commands[] = {
    {"smp start", run_start, "brings the other CPUs up; they halt"},
    {"smp touch", run_touch, "ADDRESS LENGTH: they write to every page of it, for ever"},
    {"smp rounds", run_rounds, "how often they have done so"},
    {NULL, NULL, NULL},
};
