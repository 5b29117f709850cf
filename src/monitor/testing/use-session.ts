import { beforeEach } from 'vitest';
import { CommandTable } from '../command-table.ts';
import { Session } from '../session.ts';
import { FakeMachine } from './fake-machine.ts';

/** A client of a fake machine's monitor, made for each test. */
export interface TestSession {
  machine: FakeMachine;
  session: Session;
  /** Width of what the client shows, in characters. */
  columns: number;
  run(line: string): Promise<string>;
}

/** The session of the running test. */
export function useSession(): TestSession {
  const test: TestSession = {
    machine: new FakeMachine(),
    session: new Session(new FakeMachine(), new CommandTable()),
    columns: 80,
    run: (line) => test.session.execute(line),
  };
  beforeEach(() => {
    test.machine = new FakeMachine();
    test.columns = 80;
    test.session = new Session(test.machine, new CommandTable(), () => test.columns);
  });
  return test;
}
