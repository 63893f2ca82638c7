// How long it takes from an event of the engine to the page that shows it, and what the page weighs.
// npm run bench:page -- [--rounds 50] [--beside 0]
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { eachOf } from '../src/lib/lock.ts';
import { TestBrowser } from '../test/support/browser.ts';
import { Host, repository, until } from '../test/support/host.ts';
import { madeUpNetwork } from '../test/support/made-up-network.ts';
import { PageServer } from '../test/support/page-server.ts';
import { quantile, table } from './statistics.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '50' }, beside: { type: 'string', default: '0' } },
});
const [rounds, beside] = [Number(values.rounds), Number(values.beside)];

const folder = join(repository, 'dist/web');
const sizes = readdirSync(folder)
  .filter((name) => !name.endsWith('.gz'))
  .map((name) => [name, `${name}.gz`].map((each) => readFileSync(join(folder, each)).length));
const sum = (index: number) => sizes.reduce((total, size) => total + (size[index] ?? 0), 0);
console.log(`the page: ${(sum(0) / 1024).toFixed(1)} KB, ${(sum(1) / 1024).toFixed(1)} KB over the wire\n`);

await using host = await Host.create({ suite: 'sid' });
await host.launch();
const names = Array.from({ length: beside }, (_, index) => `beside${index}`);
await eachOf(names, 4, async (name) => {
  await host.proxied('run', '-d', '--name', name, 'busybox', 'sleep', '100000');
});
await using browser = await TestBrowser.start(host.pid);
const { page } = await browser.open('http://127.0.0.1:6782/');
await page.getByText('live', { exact: true }).waitFor();
// When each text is first shown, in ms since 1970: at the first frame after the change.
await page.evaluate(`
  const seen = (window.seen = {});
  new MutationObserver(() => requestAnimationFrame(() => {
    for (const row of document.querySelectorAll('table[aria-label=Containers] tbody tr')) {
      const [name, , state] = [...row.cells].map((cell) => cell.textContent);
      seen[name + ' ' + state] ??= performance.timeOrigin + performance.now();
    }
  })).observe(document.body, { subtree: true, childList: true, characterData: true });
`);

const events: Event[] = [];
for (let round = 0; round < rounds; round++) {
  const [name, renamed] = [`a${round}`, `b${round}`];
  const since = Date.now() / 1000;
  await host.proxied('run', '-d', '--name', name, 'busybox', 'sleep', '100000');
  await shown(`${name} attached`);
  await host.proxied('rename', name, renamed);
  await shown(`${renamed} attached`);
  await host.proxied('kill', renamed);
  await shown(`${renamed} stopped`);
  // After each round: the engine keeps a few hundred.
  const span = ['--since', `${since}`, '--until', `${Date.now() / 1000}`, '--filter', 'type=container'];
  const lines = await host.docker('events', ...span, '--format', '{{json .}}');
  events.push(...lines.split('\n').map((line) => JSON.parse(line) as Event));
  await host.docker('rm', renamed);
}
const seen = (await page.evaluate('window.seen')) as Record<string, number>;
const delays: Record<string, number[]> = { start: [], rename: [], die: [] };
const states: Record<string, string> = { start: 'attached', rename: 'attached', die: 'stopped' };
for (const { Action, Actor, timeNano } of events) {
  const at = seen[`${Actor.Attributes.name} ${states[Action]}`];
  if (at !== undefined) delays[Action]?.push(at - timeNano / 1e6);
}
const rows = Object.entries(delays).map(([action, figures]) => [
  action,
  String(figures.length),
  ...[0.5, 0.99, 1].map((q) => quantile(figures, q).toFixed(0)),
]);
console.log(`from the engine's event to the page that shows it, ${beside} containers beside, ms\n`);
console.log(table(['event', 'n', 'p50', 'p99', 'longest'], rows));

await large();

/** How the page fares with 100 hosts and 5,000 containers that are made up. */
async function large(): Promise<void> {
  const network = madeUpNetwork({ hosts: 100, containers: 5_000 });
  await using server = await PageServer.start(() => network);
  await using browser = await TestBrowser.start();
  const began = performance.now();
  const { page } = await browser.open(server.url);
  await page.getByRole('heading', { name: '100 hosts, 5,000 containers' }).waitFor();
  const loaded = performance.now() - began;
  const scrolled = (await page.evaluate(`(async () => {
    const frame = () => new Promise(requestAnimationFrame);
    const gaps = [];
    let last = await frame();
    for (let step = 0; step < 120; step++) {
      window.scrollBy(0, 700);
      const now = await frame();
      gaps.push(now - last);
      last = now;
    }
    window.scrollTo(0, 0);
    window.gaps = [];
    (async () => { for (let last = await frame(); ; ) { const now = await frame(); window.gaps.push(now - last); last = now; } })();
    return gaps;
  })()`)) as number[];
  // A change each 20 ms, as of a cluster in which much is started.
  for (let change = 0; change < 200; change++) {
    const container = network.containers[(change * 37) % network.containers.length];
    if (container) server.change({ containers: [{ ...container, name: `${container.name}-${change}` }] });
    await delay(20);
  }
  const changed = (await page.evaluate('window.gaps')) as number[];
  const row = (what: string, figures: number[]) => [
    what,
    ...[0.5, 0.99, 1].map((q) => quantile(figures, q).toFixed(0)),
  ];
  console.log(`\n100 hosts, 5,000 containers: there in ${loaded.toFixed(0)} ms; ms from frame to frame\n`);
  const frames = [row('scrolling by 700 px each frame', scrolled), row('50 changes a second', changed)];
  console.log(table(['while', 'p50', 'p99', 'longest'], frames));
}

interface Event {
  Action: string;
  Actor: { Attributes: Record<string, string> };
  timeNano: number;
}

async function shown(text: string): Promise<void> {
  // Not waited for inside the page: its policy has no eval.
  await until(`it shows ${text}`, () => page.evaluate(`${JSON.stringify(text)} in window.seen`));
}
