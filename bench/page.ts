// How long it takes from an event of the engine to the page that shows it, and what the page weighs.
// npm run bench:page -- [--rounds 50] [--beside 0]
// Baselines, in the same run: a client of the engine's own events; a page of one host with ten containers.
import { readdirSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
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

/** When the same is told to one who follows the engine itself, by action and name. */
const heard = new Map<string, number>();
const plain = get({ socketPath: host.socketPath('engine'), path: '/events' }, (response) => {
  response.on('data', (chunk) => {
    const at = performance.timeOrigin + performance.now();
    for (const line of String(chunk).split('\n').filter(Boolean)) {
      const { Action, Actor, timeNano } = JSON.parse(line) as Event;
      heard.set(keyOf({ Action, Actor, timeNano }), at);
    }
  });
});
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
plain.destroy();
const seen = (await page.evaluate('window.seen')) as Record<string, number>;
const delays: Record<string, { page: number[]; engine: number[] }> = {};
for (const action of ['start', 'rename', 'die']) delays[action] = { page: [], engine: [] };
const states: Record<string, string> = { start: 'attached', rename: 'attached', die: 'stopped' };
for (const event of events) {
  const { Action, Actor, timeNano } = event;
  const at = seen[`${Actor.Attributes.name} ${states[Action]}`];
  const plainly = heard.get(keyOf(event));
  if (at !== undefined) delays[Action]?.page.push(at - timeNano / 1e6);
  if (plainly !== undefined) delays[Action]?.engine.push(plainly - timeNano / 1e6);
}
const ms = (figures: number[]) => [0.5, 0.99, 1].map((q) => quantile(figures, q).toFixed(1));
const rows = Object.entries(delays).flatMap(([action, of]) => [
  [action, "a client of the engine's events", String(of.engine.length), ...ms(of.engine)],
  [action, 'the page', String(of.page.length), ...ms(of.page)],
]);
console.log(`from the engine's event to who is told of it, ${beside} containers beside, ms\n`);
console.log(table(['event', 'told', 'n', 'p50', 'p99', 'longest'], rows));

console.log('\nms from frame to frame; a screen has one each 16.7 ms\n');
const measured = [
  await frames({ hosts: 1, containers: 10 }),
  await frames({ hosts: 100, containers: 5_000 }),
];
console.log(table(['network', 'there in', 'while', 'p50', 'p99', 'longest'], measured.flat()));

/** How the page fares with a network that is made up. */
async function frames(size: { hosts: number; containers: number }): Promise<string[][]> {
  const network = madeUpNetwork(size);
  await using server = await PageServer.start(() => network);
  await using browser = await TestBrowser.start();
  const began = performance.now();
  const { page } = await browser.open(server.url);
  await page.getByText('live', { exact: true }).waitFor();
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
  const what = `${size.hosts} hosts, ${size.containers} containers`;
  return [
    [what, `${loaded.toFixed(0)} ms`, 'scrolling by 700 px each frame', ...ms(scrolled)],
    [what, '', '50 changes a second', ...ms(changed)],
  ];
}

interface Event {
  Action: string;
  Actor: { Attributes: Record<string, string> };
  timeNano: number;
}

function keyOf({ Action, Actor, timeNano }: Event): string {
  return `${Action} ${Actor.Attributes.name} ${timeNano}`;
}

async function shown(text: string): Promise<void> {
  // Not waited for inside the page: its policy has no eval.
  await until(`it shows ${text}`, () => page.evaluate(`${JSON.stringify(text)} in window.seen`));
}
