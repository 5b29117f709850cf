#include "interrupts.h"

#include "io.h"
#include "layout.h"
#include "paging.h"
#include "text.h"

#define LAPIC_SPURIOUS (LAPIC_BASE + 0xf0)
#define LAPIC_ICR_LOW (LAPIC_BASE + 0x300)
#define LAPIC_ICR_HIGH (LAPIC_BASE + 0x310)
#define LAPIC_ID (LAPIC_BASE + 0x20)
#define DELIVERY_PENDING 0x1000
#define IOAPIC_SELECT IOAPIC_BASE
#define IOAPIC_WINDOW (IOAPIC_BASE + 0x10)
#define STUB_SIZE 16

struct gate {
  u16 offset_low, selector, flags, offset_middle;
  u32 offset_high, reserved;
};

extern struct gate idt[256];
extern u8 tss[], kernel_stack_top[], trap_stubs[];
extern u8 spurious_stub[], undefined_stub[], nmi_stub[];
extern volatile u32 irq_counts[256], irq_total, nmi_counts[256];
extern u32 intx_isr_bits[], cpuid_regs[4];
extern u64 intx_isr[];
void cpl0_enable_interrupts(void), cpl0_wait(void), cpl0_cpuid(void);

#define INTERRUPT_GATE 0x8e00
#define NON_MASKABLE 2
#define UNDEFINED_OPCODE 6

static void set_gate(int vector, const u8* handler) {
  u64 offset = (u64)handler;
  idt[vector] = (struct gate){(u16)offset, KERNEL_CODE, INTERRUPT_GATE, (u16)(offset >> 16), 0, 0};
}

static void tss_init(void) {
  memset(tss, 0, 104 + 8192);
  *(u64*)(tss + 4) = (u64)kernel_stack_top; /* rsp0 */
  *(u16*)(tss + 102) = 104;                 /* I/O bitmap: all zero permits every port */
  tss[104 + 8192] = 0xff;
}

void interrupts_init(void) {
  tss_init();
  memset(idt, 0, 256 * sizeof(struct gate));
  for (int i = 0; i <= VECTOR_IRQ_LAST; i++) {
    set_gate(i, trap_stubs + i * STUB_SIZE);
  }
  set_gate(NON_MASKABLE, nmi_stub);
  set_gate(UNDEFINED_OPCODE, undefined_stub);
  set_gate(VECTOR_SPURIOUS, spurious_stub);
  out8(0x21, 0xff);
  out8(0xa1, 0xff);
  map(IOAPIC_BASE, GIB);
  write32(LAPIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
  call_cpl0(cpl0_enable_interrupts, 0);
}

void ioapic_route(u32 pin, u8 vector, bool level) {
  write32(IOAPIC_SELECT, 0x11 + pin * 2);
  write32(IOAPIC_WINDOW, read32(LAPIC_ID) & 0xff000000);
  write32(IOAPIC_SELECT, 0x10 + pin * 2);
  write32(IOAPIC_WINDOW, vector | (level ? 0x8000 : 0));
}

void lapic_send(u32 apic_id, u32 command) {
  write32(LAPIC_ICR_HIGH, apic_id << 24);
  write32(LAPIC_ICR_LOW, command);
  while ((read32(LAPIC_ICR_LOW) & DELIVERY_PENDING) != 0) cpu_pause();
}

u32 interrupts_seen(void) { return irq_total; }

u32 interrupts_of(u8 vector) { return irq_counts[vector]; }

u32 nmis_of(u8 apic_id) { return nmi_counts[apic_id]; }

void wait_for_interrupt(u32 seen) { call_cpl0(cpl0_wait, seen); }

void cpuid(u32 leaf, u32 subleaf, u32 regs[4]) {
  cpuid_regs[0] = leaf;
  cpuid_regs[2] = subleaf;
  call_cpl0(cpl0_cpuid, 0);
  for (int i = 0; i < 4; i++) regs[i] = cpuid_regs[i];
}

void intx_watch(u32 device, u64 isr_register) {
  intx_isr[device] = isr_register;
  intx_isr_bits[device] = 0;
}

u32 intx_take_isr_bits(u32 device) {
  u32 bits = 0;
  __asm__ volatile("xchgl %0, %1" : "+r"(bits), "+m"(intx_isr_bits[device])::"memory");
  return bits;
}
