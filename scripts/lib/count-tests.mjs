// Adds up the results of a test run: vitest's JSON reports and the steps beside them.
// usage: count-tests.mjs FOLDER
// Prints the failures, then "N passed, N failed, N skipped"; exit code 1 when one failed.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const folder = process.argv[2];
const total = { passed: 0, failed: 0, skipped: 0 };

function fail(name) {
  total.failed += 1;
  console.log(`FAILED ${name}`);
}

function countReport(suite, report) {
  for (const file of report.testResults) {
    // A file that could not be loaded has no tests to fail.
    if (file.status === 'failed' && file.assertionResults.length === 0) fail(`${suite}: ${file.name}`);
    for (const test of file.assertionResults) {
      if (test.status === 'passed') total.passed += 1;
      else if (test.status === 'failed') fail(`${suite}: ${test.fullName}`);
      else total.skipped += 1;
    }
  }
}

for (const name of readdirSync(folder).sort()) {
  const text = readFileSync(join(folder, name), 'utf8');
  if (name.endsWith('.json')) countReport(basename(name, '.json'), JSON.parse(text));
  if (name.endsWith('.step')) {
    if (text.trim() === 'passed') total.passed += 1;
    else fail(basename(name, '.step'));
  }
}

const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
