// Reads a crash dump (an ELF core such as /proc/vmcore) to its end.
//
//   vmcore FILE MARK
//
// Prints a line for each piece of memory in it: physical address and size in bytes, and how many
// of its pages begin with MARK.
#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096, PIECE = 256 * PAGE };

static const char* path;

// As pread, all or nothing.
static void read_all(int fd, void* buffer, size_t size, off_t offset) {
  for (size_t done = 0; done < size;) {
    ssize_t count = pread(fd, (char*)buffer + done, size - done, offset + done);
    if (count < 0) err(1, "%s at %lld", path, (long long)(offset + done));
    if (count == 0) errx(1, "%s ends at %lld", path, (long long)(offset + done));
    done += count;
  }
}

static unsigned long marked_pages(int fd, const Elf64_Phdr* segment, const char* mark) {
  static char piece[PIECE];
  size_t length = strlen(mark);
  unsigned long marked = 0;
  for (uint64_t at = 0; at < segment->p_filesz; at += PIECE) {
    uint64_t left = segment->p_filesz - at;
    size_t size = left < PIECE ? left : PIECE;
    read_all(fd, piece, size, segment->p_offset + at);
    for (size_t page = 0; page + PAGE <= size; page += PAGE)
      marked += memcmp(piece + page, mark, length) == 0;
  }
  return marked;
}

int main(int argc, char** argv) {
  if (argc != 3 || strlen(argv[2]) > PAGE) errx(2, "usage: vmcore FILE MARK");
  path = argv[1];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) err(1, "%s", path);
  Elf64_Ehdr header;
  read_all(fd, &header, sizeof header, 0);
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) errx(1, "%s is no ELF file", path);
  for (int i = 0; i < header.e_phnum; i++) {
    Elf64_Phdr segment;
    read_all(fd, &segment, sizeof segment, header.e_phoff + i * sizeof segment);
    if (segment.p_type != PT_LOAD) continue;
    unsigned long marked = marked_pages(fd, &segment, argv[2]);
    printf("%#llx %llu %lu\n", (unsigned long long)segment.p_paddr,
           (unsigned long long)segment.p_filesz, marked);
  }
}
