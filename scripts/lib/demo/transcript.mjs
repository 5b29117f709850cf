// What the demo prints: explanations at the margin, what is typed and answered indented.
const { stdout } = process;
const style = (code, text) => (stdout.isTTY ? `\u001b[${code}m${text}\u001b[0m` : text);

export function heading(text) {
  stdout.write(`\n${style(1, `== ${text}`)}\n`);
}

export function explain(text) {
  stdout.write(`\n${text}\n`);
}

/** A command as typed at a prompt, and its answer. */
export function typed(prompt, command, answer = '') {
  stdout.write(`    ${style(2, prompt)}${style(1, command)}\n`);
  for (const line of answer.trimEnd().split('\n')) {
    if (line !== '' || answer !== '') stdout.write(`    ${line}`.trimEnd() + '\n');
  }
}

/** Waits for `work`, saying for what; on a terminal the seconds run. */
export async function step(name, work) {
  const start = Date.now();
  const seconds = () => Math.round((Date.now() - start) / 1000);
  stdout.write(`    ... ${name}`);
  const show = () => stdout.write(`\r    ... ${name}: ${seconds()} s`);
  const timer = stdout.isTTY ? setInterval(show, 1000) : undefined;
  let outcome = 'failed after';
  try {
    const result = await work;
    outcome = 'done in';
    return result;
  } finally {
    clearInterval(timer);
    stdout.write(`${stdout.isTTY ? `\r    ... ${name}` : ''}: ${outcome} ${seconds()} s\n`);
  }
}

/** `2.5 GiB`, for people. */
export function size(bytes) {
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes / 1024;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number(value.toPrecision(3))} ${units[unit]}`;
}
