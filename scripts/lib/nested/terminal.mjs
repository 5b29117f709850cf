// The user's terminal while the command in the nested machine owns it.

const ESCAPE = 0x1d; // Ctrl-]
const ESCAPES_TO_LEAVE = 3;

/** Rows and columns of our terminal, or a usual size where there is none. */
export function terminalSize() {
  const { rows, columns } = process.stdout;
  return { rows: rows > 0 ? rows : 24, columns: columns > 0 ? columns : 80 };
}

/**
 * Connects the terminal; every key goes to the machine.
 *
 * @param {import('node:net').Socket} socket  the machine's terminal
 * @param {{ onResize: () => void, onLeave: () => void }} handlers
 * @returns {() => void} gives the terminal back
 */
export function connectTerminal(socket, { onResize, onLeave }) {
  const { stdin, stdout } = process;
  let escapes = 0;
  if (stdin.isTTY) stdin.setRawMode(true);
  stdin.on('data', (keys) => {
    for (const key of keys) {
      escapes = key === ESCAPE ? escapes + 1 : 0;
      if (escapes === ESCAPES_TO_LEAVE) onLeave();
    }
    socket.write(keys);
  });
  stdout.on('resize', onResize);
  return () => {
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.pause();
    stdout.off('resize', onResize);
  };
}
