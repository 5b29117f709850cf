#include "console.h"

#include "interrupts.h"
#include "io.h"
#include "layout.h"

/* Registers of a 16550 at COM1. */
#define DATA 0x3f8
#define INTERRUPT_ENABLE 0x3f9
#define FIFO_CONTROL 0x3fa
#define LINE_CONTROL 0x3fb
#define MODEM_CONTROL 0x3fc
#define LINE_STATUS 0x3fd

#define DATA_READY 0x01
#define TRANSMITTER_EMPTY 0x20
#define FIFO_SIZE 16
#define COM1_IRQ 4

static int room; /* characters that the transmit FIFO surely takes */

void console_init(void) {
  out8(LINE_CONTROL, 0x80); /* divisor latch: 115200 baud */
  out8(DATA, 1);
  out8(INTERRUPT_ENABLE, 0);
  out8(LINE_CONTROL, 0x03);
  out8(FIFO_CONTROL, 0x01);
  out8(MODEM_CONTROL, 0x0b); /* DTR, RTS, OUT2: the last lets interrupts out */
  ioapic_route(COM1_IRQ, VECTOR_SERIAL, false);
  out8(INTERRUPT_ENABLE, 0x01);
}

void console_put(char c) {
  if (room == 0) {
    while ((in8(LINE_STATUS) & TRANSMITTER_EMPTY) == 0) cpu_pause();
    room = FIFO_SIZE;
  }
  out8(DATA, (u8)c);
  room--;
}

bool console_pending(void) { return (in8(LINE_STATUS) & DATA_READY) != 0; }

void console_read_line(char* line, u32 size, void (*idle)(void)) {
  u32 length = 0;
  for (;;) {
    u32 seen = interrupts_seen();
    while (console_pending()) {
      char c = (char)in8(DATA);
      if (c == '\n') {
        line[length] = 0;
        return;
      }
      if (c != '\r' && length < size - 1) line[length++] = c;
    }
    if (idle != NULL) idle();
    wait_for_interrupt(seen);
  }
}
