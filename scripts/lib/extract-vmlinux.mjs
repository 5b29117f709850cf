// Takes the uncompressed ELF kernel out of a bzImage.
//
// Usage: node extract-vmlinux.mjs BZIMAGE VMLINUX
//
// The setup header says where the payload is (Linux boot protocol 2.08:
// payload_offset and payload_length count from the protected-mode code). The
// payload of every method but gzip ends with its uncompressed size, 4 bytes that
// belong to the kernel and not to the compressed stream.
import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const SECTOR = 512;
const MAX_OUTPUT = 1 << 30;
const ELF_MAGIC = 0x464c457f;

const methods = [
  { magic: [0x1f, 0x8b], unpack: (data) => gunzipSync(data) },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], unpack: (data) => pipe('xz', data) },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], unpack: (data) => pipe('zstd', data) },
  { magic: [0x02, 0x21, 0x4c, 0x18], unpack: unpackLz4Legacy },
];

/** The compressed kernel in a bzImage, with the size it unpacks to. */
function findPayload(image) {
  if (image.toString('latin1', 0x202, 0x206) !== 'HdrS' || image.readUInt16LE(0x206) < 0x208) {
    throw new Error('not a bzImage of boot protocol 2.08 or later');
  }
  const setupSectors = image[0x1f1] || 4;
  const start = (setupSectors + 1) * SECTOR + image.readUInt32LE(0x248);
  const end = start + image.readUInt32LE(0x24c);
  if (end > image.length) throw new Error('the payload reaches past the end of the file');
  return { data: image.subarray(start, end), size: image.readUInt32LE(end - 4) };
}

function unpack({ data, size }) {
  const method = methods.find(({ magic }) => magic.every((byte, i) => data[i] === byte));
  if (method === undefined) {
    throw new Error(`unknown compression, starts with ${data.toString('hex', 0, 8)}`);
  }
  const kernel = method.unpack(method.magic[0] === 0x1f ? data : data.subarray(0, -4), size);
  if (kernel.length !== size) throw new Error(`unpacked ${kernel.length} of ${size} bytes`);
  if (kernel.readUInt32LE(0) !== ELF_MAGIC) throw new Error('the payload is not an ELF file');
  return kernel;
}

function pipe(program, input) {
  return execFileSync(program, ['-dc'], { input, maxBuffer: MAX_OUTPUT });
}

/** The old LZ4 frame: a magic number, then blocks each preceded by its length. */
function unpackLz4Legacy(data, size) {
  const output = Buffer.alloc(size);
  let written = 0;
  for (let at = 4; at < data.length; ) {
    const length = data.readUInt32LE(at);
    written = unpackLz4Block(data.subarray(at + 4, at + 4 + length), output, written);
    at += 4 + length;
  }
  return output.subarray(0, written);
}

/** Unpacks one block behind what is in `output` already; returns the new end. */
function unpackLz4Block(block, output, start) {
  let from = 0;
  let to = start;
  const readLength = (nibble) => {
    let length = nibble;
    if (nibble === 15) {
      let byte;
      do {
        byte = block[from++];
        length += byte;
      } while (byte === 255);
    }
    return length;
  };
  while (from < block.length) {
    const token = block[from++];
    const literals = readLength(token >> 4);
    block.copy(output, to, from, from + literals);
    from += literals;
    to += literals;
    if (from >= block.length) break; // the last sequence has literals only
    const distance = block.readUInt16LE(from);
    from += 2;
    const matchEnd = to + 4 + readLength(token & 15);
    // Byte by byte: a match may overlap what it is producing.
    for (; to < matchEnd; to++) output[to] = output[to - distance];
  }
  return to;
}

const [from, to] = process.argv.slice(2);
try {
  const kernel = unpack(findPayload(readFileSync(from)));
  writeFileSync(`${to}.tmp`, kernel);
  renameSync(`${to}.tmp`, to);
} catch (error) {
  process.stderr.write(`extract-vmlinux: error: ${from}: ${error.message}\n`);
  process.exitCode = 1;
}
