// Adds up the results of a test run, of which a folder keeps:
//   NAME.json    the report of a vitest suite
//   NAME.status  the exit status of that suite
//   NAME.step    the exit status of a step that is no suite; it counts as one test
//
// Usage: node count-tests.mjs FOLDER
// Prints the failures, then "N passed, N failed, N skipped"; exit status 1 when one failed.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
const total = { passed: 0, failed: 0, skipped: 0 };

function fail(name) {
  total.failed += 1;
  console.log(`FAILED ${name}`);
}

function countFile(suite, file) {
  const { failed } = total;
  for (const test of file.assertionResults) {
    if (test.status === 'passed') total.passed += 1;
    else if (test.status === 'failed') fail(`${suite}: ${test.fullName}`);
    else total.skipped += 1;
  }
  // It could not be loaded, or its set-up failed: no test of it has.
  if (file.status === 'failed' && total.failed === failed) fail(`${suite}: ${file.name}`);
}

function countSuite(suite, status) {
  const { failed } = total;
  const report = join(folder, `${suite}.json`);
  if (existsSync(report)) {
    const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
    for (const file of testResults) countFile(suite, file);
  }
  // An error outside of any test, no tests at all, or no report.
  if (status !== 0 && total.failed === failed) fail(`${suite}: exit status ${status}`);
}

for (const name of readdirSync(folder).sort()) {
  const [, subject, kind] = /^(.*)\.(\w+)$/.exec(name) ?? [];
  if (kind !== 'status' && kind !== 'step') continue;
  const status = Number(readFileSync(join(folder, name), 'utf8'));
  if (kind === 'status') countSuite(subject, status);
  else if (status === 0) total.passed += 1;
  else fail(subject);
}

const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
