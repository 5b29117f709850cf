// The command line of scripts/nested.

/** A mistake of the user: reported as one line, without a stack. */
export class UserError extends Error {}

const patterns = {
  '--kernel': /^[a-z]+$/,
  '--memory': /^[1-9][0-9]*[MGT]$/,
  '--cpus': /^[1-9][0-9]*$/,
  '--timeout': /^[0-9]+$/,
  '--env': /^[A-Za-z_][A-Za-z0-9_]*(=|$)/,
  '--kvm-module-params': /^(\s*kvm([-_]amd)?\.[a-z0-9_]+=\S+)*\s*$/,
  '--append': /^/,
};

/** @param {string[]} args  @param {boolean} onTerminal */
export function parseOptions(args, onTerminal) {
  const options = {
    kernel: undefined,
    memory: '12G',
    cpus: 1,
    kernelWords: [],
    env: [],
    interactive: onTerminal,
    timeoutSeconds: undefined,
    command: [],
  };
  let i = 0;
  for (; i < args.length && args[i].startsWith('-'); i++) {
    let [name, value] = splitAtEquals(args[i]);
    if (name === '--') {
      i++;
      break;
    }
    if (['-i', '-it', '-t', '--interactive'].includes(name)) options.interactive = true;
    else if (name === '--no-tty') options.interactive = false;
    else {
      if (!(name in patterns)) throw new UserError(`unknown option '${name}' (see --help)`);
      value ??= args[++i];
      if (value === undefined) throw new UserError(`${name} wants a value`);
      if (!patterns[name].test(value)) throw new UserError(`${name}: bad value '${value}'`);
      setOption(options, name, value);
    }
  }
  options.command = args.slice(i);
  if (options.command.length === 0) throw new UserError('no command given (see --help)');
  options.timeoutSeconds ??= options.interactive ? 0 : 3600;
  return options;
}

function splitAtEquals(arg) {
  const at = arg.startsWith('--') ? arg.indexOf('=') : -1;
  return at < 0 ? [arg, undefined] : [arg.slice(0, at), arg.slice(at + 1)];
}

function setOption(options, name, value) {
  if (name === '--kernel') options.kernel = value;
  else if (name === '--memory') options.memory = value;
  else if (name === '--cpus') options.cpus = Number(value);
  else if (name === '--timeout') options.timeoutSeconds = Number(value);
  else if (name === '--env') options.env.push(value);
  else options.kernelWords.push(...value.split(/\s+/).filter(Boolean));
}
