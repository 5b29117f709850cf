import { synopsis } from './arguments.ts';
import type { MonitorCommand } from './command.ts';
import type { CommandTable } from './command-table.ts';

const INTRODUCTION = `# The monitor

<!-- Made by \`node scripts/docs/monitor.mjs\` from the table of commands; change them there. -->

The monitor is a command line for a running machine: on the terminal (Ctrl-A C), and on sockets
(\`--monitor unix:PATH\`, \`tcp:PORT\`). It speaks the established HMP dialect, so scripts made for that work:

    echo 'info memory-devices' | socat - unix-connect:monitor.sock

\`tsvmm monitor monitor.sock\` does the same, and at a terminal it edits lines, remembers them and completes.

One command a line; words are separated by spaces, \`"a b"\` is one word, and \`\\n\`, \`\\r\`, \`\\t\`, \`\\"\` and
\`\\\\\` are escapes in it. Sizes take K, M, G and T (binary). \`help\` lists the commands, \`help info\` what
\`info\` shows. What cannot be done is answered with a line that begins with \`Error:\`, what does not
exist with \`unknown command: '…'\`. On a terminal Tab completes, and the arrow keys bring back what was said.

In the synopses square brackets are around what may be left out; \`a|b\` are two names of one command.
`;

/** Text that stands in a Markdown paragraph: names with underscores are no emphasis there. */
function paragraph(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1).replace(/[.]?$/, '.');
}

/** Breaks text at spaces, as the other pages are. */
function wrap(text: string, width = 100): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join('\n');
}

function section(command: MonitorCommand): string {
  const details = command.details?.split('\n\n').map((text) => wrap(text)) ?? [];
  return [`### \`${synopsis(command)}\``, wrap(paragraph(command.summary)), ...details].join(
    '\n\n',
  );
}

/** The manual page, in Markdown: every command of the table, from nothing but the table. */
export function manualPage(commands: CommandTable): string {
  return [
    INTRODUCTION.trimEnd(),
    '## Commands',
    ...commands.topLevel().map(section),
    '## What info shows',
    ...commands.subcommands('info').map(section),
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}
