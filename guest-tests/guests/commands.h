/*
 * The agent's commands. A command's name is one or two words; what follows are its arguments.
 * Every command answers exactly one line: `ok …`, `error …` or `fault …`; those that say more
 * before it (`help`, `flood`, `storm`) say so in their help.
 */
#pragma once
#include "text.h"
#include "virtio.h"

struct command {
  const char* name;
  void (*run)(const struct words* arguments);
  const char* help;
};

/* Tables end with an empty name. */
extern const struct command memory_commands[], pci_commands[], virtio_commands[], ring_commands[],
    bench_commands[], power_commands[], smp_commands[], access_commands[];

void command_run(char* line);

/* Called while the console is silent. */
void commands_idle(void);

/* The device that `virtio init` or `use` chose last; ends the command when there is none. */
struct virtio_device* current_device(void);
/* Should the agent follow configuration changes by itself? Set by `follow`. */
void follow_idle(void);
