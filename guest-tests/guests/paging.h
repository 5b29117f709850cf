/* Identity mapping, grown on demand from CPL 3: page tables are user memory. */
#pragma once
#include "types.h"

/* Maps the first GiB; before that only 4 MiB are. */
void paging_init(void);

/* Maps [address, address + length) with 2 MiB pages, whatever is behind it. */
void map(u64 address, u64 length);
