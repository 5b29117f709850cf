/* COM1 as the console. */
#pragma once
#include "types.h"

/* 16550, 8n1, FIFOs on, received-data interrupts routed to VECTOR_SERIAL. */
void console_init(void);

void console_put(char c);

/*
 * Waits for a line and stores it without its end; longer lines are cut. `idle` is called whenever
 * there is nothing to read, before the CPU halts until the next interrupt; it may be NULL.
 */
void console_read_line(char* line, u32 size, void (*idle)(void));
/* Has a character been received that nobody has read? */
bool console_pending(void);
