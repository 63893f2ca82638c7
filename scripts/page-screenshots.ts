// Takes the pictures of the page that the docs show, of a network that is made up: node --import tsx scripts/page-screenshots.ts
import { join } from 'node:path';
import { TestBrowser } from '../test/support/browser.ts';
import { repository } from '../test/support/host.ts';
import { madeUpEvent, madeUpNetwork } from '../test/support/made-up-network.ts';
import { PageServer } from '../test/support/page-server.ts';

const to = process.argv[2] ?? join(repository, 'docs/images');
const network = madeUpNetwork({ hosts: 4, containers: 33 });
const [, second, third] = network.hosts;
const [alien, refused] = [network.containers[12], network.containers[28]];
if (!second?.path || !third?.path || !alien || !refused) throw new Error('the network is too small');
Object.assign(third.path, {
  state: 'failed',
  text: 'no answer from 10.0.0.3; is UDP 6783 and 6785 let through on both hosts?',
});
const none = { addresses: [], names: [], mac: '' };
Object.assign(alien, { ...none, state: 'unattached', reason: 'it shares the network of the host' });
Object.assign(refused, {
  ...none,
  state: 'stopped',
  reason: 'not started: 10.32.0.4 is already in use by container 9f2c11d07b1a',
});
network.healed.push({
  code: 'LINKS_CHANGED',
  about: '',
  text: 'the bridge was down, and is up again',
  since: Date.UTC(2026, 0, 5, 9, 8, 41),
});
const texts = ['started', 'attached in 12 ms', 'renamed from shop', 'ended with exit code 0', 'started'];
network.events.push(
  ...texts.flatMap((text, index) => {
    const about = network.containers[index * 4];
    return about ? madeUpEvent(index + 1, about, text) : [];
  }),
  { ...madeUpEvent(6, refused, refused.reason), level: 'error' },
);
const history = (subject: string) => network.events.filter((event) => event.subject === subject);

await using server = await PageServer.start(() => network, { history });
await using browser = await TestBrowser.start();
for (const colorScheme of ['light', 'dark'] as const) {
  const { page } = await browser.open(server.url, {
    colorScheme,
    timezoneId: 'UTC',
    viewport: { width: 1280, height: 860 },
  });
  await page.clock.setFixedTime(Date.UTC(2026, 0, 5, 9, 15));
  await page.reload();
  await page.getByText('live', { exact: true }).waitFor();
  await page.screenshot({ path: join(to, `page-${colorScheme}.png`) });
}
