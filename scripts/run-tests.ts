// Runs test files, two at a time, each in its own process, the longest first; those of test/docker once for each engine.
// Prints a file's output when it is done. `node --import tsx scripts/run-tests.ts FOLDER|FILE...`
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { join, normalize } from 'node:path';

/** Two cores can carry two engines. */
const width = 2;
/** A file that takes longer hangs. */
const limit = 15 * 60_000;
const engines = (process.env.WEAVETS_TEST_ENGINES ?? '28.5,20.10').split(',');

/** The longest ones, in seconds; the order of the others does not matter. */
const long: Record<string, number> = {
  'test/cluster/hosts.test.ts': 240,
  'test/chaos/chaos.test.ts': 150,
  'test/cluster/secured.test.ts': 120,
  'test/netns/etcd.test.ts': 100,
  'test/docker/differential.test.ts': 100,
  'test/host/launch-flags.test.ts': 90,
  'test/docker/comeback.test.ts': 55,
  'test/host/commands.test.ts': 55,
  'test/netns/voters.test.ts': 55,
  'test/cluster/beside.test.ts': 50,
  'test/docker/clients.test.ts': 45,
  'test/netns/ovs.test.ts': 45,
  'test/netns/wireguard.test.ts': 45,
  'test/host/install.test.ts': 40,
  'test/host/systemd.test.ts': 40,
  'test/docker/passthrough.test.ts': 35,
};

interface Job {
  file: string;
  engine: string;
}

interface Result {
  job: Job;
  code: number;
  seconds: number;
  output: string;
}

function filesIn(target: string): string[] {
  if (statSync(target).isFile()) return [normalize(target)];
  return readdirSync(target, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(target, name))
    .toSorted();
}

/** Files about the engine run on each; the others on the newest. */
function jobsOf(file: string): Job[] {
  const each = file.startsWith('test/docker/') ? engines : engines.slice(0, 1);
  return each.map((engine) => ({ file, engine }));
}

async function play(job: Job): Promise<Result> {
  const began = Date.now();
  // Without `--test`: a file that crashes says why, and no child's output gets between what two processes tell each other.
  const argv = ['--import', 'tsx', '--test-reporter=spec', job.file];
  const child = spawn(process.execPath, argv, {
    env: { ...process.env, WEAVETS_TEST_ENGINES: job.engine },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  const timer = setTimeout(() => {
    output += `\n${job.file} was ended: it took longer than ${limit / 60_000} minutes\n`;
    child.kill('SIGTERM');
  }, limit);
  const [code, signal] = await once(child, 'close');
  clearTimeout(timer);
  if (signal !== null) output += `\n${job.file} was ended by ${signal}\n`;
  return { job, code: code ?? 1, seconds: (Date.now() - began) / 1000, output };
}

/** What node's reporter counts, as `tests 12`. */
const count = (output: string, what: string) =>
  Number(new RegExp(`^ℹ ${what} (\\d+)$`, 'm').exec(output)?.[1] ?? 0);
const nameOf = ({ file, engine }: Job) =>
  /^test\/(docker|host|web|cluster|chaos)\//.test(file) ? `engine ${engine}, ${file}` : file;

const jobs = process.argv
  .slice(2)
  .flatMap(filesIn)
  .flatMap(jobsOf)
  .toSorted((one, other) => (long[other.file] ?? 0) - (long[one.file] ?? 0));
if (jobs.length === 0) throw new Error('no tests there');

const results: Result[] = [];
async function work(): Promise<void> {
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
    const result = await play(job);
    results.push(result);
    console.log(
      `\n== ${nameOf(job)}: ${result.code === 0 ? 'passed' : 'FAILED'}, ${result.seconds.toFixed(1)} s`,
    );
    console.log(result.output.trimEnd());
  }
}
const began = Date.now();
await Promise.all(Array.from({ length: width }, work));

const failed = results.filter(({ code }) => code !== 0);
const sum = (what: string) => results.reduce((total, { output }) => total + count(output, what), 0);
console.log(`\n${results.length} files in ${((Date.now() - began) / 60_000).toFixed(1)} minutes`);
console.log(`tests ${sum('tests')}, passed ${sum('pass')}, failed ${sum('fail')}, skipped ${sum('skipped')}`);
// Once more, at the end, which is where one looks.
for (const { job, output } of failed) console.log(`\n== again: ${nameOf(job)}\n${output.trimEnd()}`);
for (const { job } of failed) console.log(`failed: ${nameOf(job)}`);
process.exitCode = failed.length === 0 ? 0 : 1;
