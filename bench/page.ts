// How long it takes from an event of the engine to the page that shows it, and what the page weighs.
// npm run bench:page -- [--rounds 50] [--beside 0]
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { eachOf } from '../src/lib/lock.ts';
import { TestBrowser } from '../test/support/browser.ts';
import { Host, repository } from '../test/support/host.ts';
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

const since = Math.floor(Date.now() / 1000);
for (let round = 0; round < rounds; round++) {
  const [name, renamed] = [`a${round}`, `b${round}`];
  await host.proxied('run', '-d', '--name', name, 'busybox', 'sleep', '100000');
  await shown(`${name} attached`);
  await host.proxied('rename', name, renamed);
  await shown(`${renamed} attached`);
  await host.proxied('kill', renamed);
  await shown(`${renamed} stopped`);
  await host.docker('rm', renamed);
}
const until = Math.ceil(Date.now() / 1000) + 1;
const format = '{{json .}}';
const lines = await host.docker('events', '--since', `${since}`, '--until', `${until}`, '--format', format);
const seen = (await page.evaluate('window.seen')) as Record<string, number>;
const delays: Record<string, number[]> = { start: [], rename: [], die: [] };
const states: Record<string, string> = { start: 'attached', rename: 'attached', die: 'stopped' };
for (const line of lines.split('\n')) {
  const { Action, Actor, timeNano } = JSON.parse(line) as Event;
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

interface Event {
  Action: string;
  Actor: { Attributes: Record<string, string> };
  timeNano: number;
}

async function shown(text: string): Promise<void> {
  await page.waitForFunction(`${JSON.stringify(text)} in window.seen`);
}
