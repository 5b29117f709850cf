// Boots another kernel from a running one, or has one ready for a crash.
//
//   kexec now KERNEL INITRD COMMAND-LINE    loads it and starts it at once
//   kexec crash KERNEL INITRD COMMAND-LINE  loads it for when this kernel crashes
//
// The kernel itself reads the files (kexec_file_load), and describes memory to the next one.
#include <err.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_file(const char* path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) err(1, "%s", path);
  return fd;
}

int main(int argc, char** argv) {
  if (argc != 5) errx(2, "usage: kexec now|crash KERNEL INITRD COMMAND-LINE");
  int crash = strcmp(argv[1], "crash") == 0;
  int kernel = open_file(argv[2]), initrd = open_file(argv[3]);
  unsigned long flags = crash ? KEXEC_FILE_ON_CRASH : 0;
  size_t length = strlen(argv[4]) + 1;  // with the NUL
  if (syscall(SYS_kexec_file_load, kernel, initrd, length, argv[4], flags) != 0)
    err(1, "kexec_file_load");
  if (crash) return 0;
  sync();
  syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, 0);
  err(1, "reboot");
}
