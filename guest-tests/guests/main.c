/*
 * The agent: takes commands from the serial console, answers each with one line. An exception
 * ends the command with the line `fault …`; the agent lives on.
 */
#include "commands.h"
#include "console.h"
#include "interrupts.h"
#include "paging.h"
#include "platform.h"
#include "text.h"

#define LINE_SIZE COMMAND_LINE_SIZE

extern u8 bss_start[], bss_end[];
extern u64 trap_vector, trap_error, trap_rip, trap_cr2;

__attribute__((returns_twice)) int save_point(u64 point[8]);
__attribute__((noreturn)) void resume_point(u64 point[8]);

static u64 command_point[8];
static char line[LINE_SIZE], boot_commands[LINE_SIZE];

__attribute__((noreturn)) void fail(const char* text, const char* detail) {
  print("error %s%s%s\n", text, detail == NULL ? "" : " ", detail == NULL ? "" : detail);
  resume_point(command_point);
}

/* Where traps.S goes on at CPL 3 after an exception. */
__attribute__((noreturn, used)) void exception_entry(void) {
  print("fault vector=%u error=%x rip=%x cr2=%x\n", trap_vector, trap_error, trap_rip, trap_cr2);
  resume_point(command_point);
}

static void run_line(char* text) {
  if (save_point(command_point) == 0) command_run(text);
}

/* Commands on the kernel command line, separated by semicolons, run before the first prompt. */
static void run_boot_commands(char* text) {
  while (*text != 0) {
    char* end = text;
    while (*end != 0 && *end != ';') end++;
    char more = *end;
    *end = 0;
    if (*text != 0) run_line(text);
    text = more == 0 ? end : end + 1;
  }
}

__attribute__((noreturn, used)) void agent_main(void) {
  memset(bss_start, 0, (u64)(bss_end - bss_start));
  paging_init();
  interrupts_init();
  console_init();
  if (save_point(command_point) == 0) platform_init();
  print("agent ready memory=%u cpus=%u\n", platform.memory_bytes, (u64)platform.cpus);
  memcpy(boot_commands, platform.command_line, COMMAND_LINE_SIZE);
  run_boot_commands(boot_commands);
  for (;;) {
    console_read_line(line, sizeof(line), commands_idle);
    if (line[0] != 0) run_line(line);
  }
}
