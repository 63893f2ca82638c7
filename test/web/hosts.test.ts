import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Page } from 'playwright-core';
import { daemonOf, launch } from '../cluster/lab.ts';
import { TestBrowser } from '../support/browser.ts';
import { Host, repository, Underlay } from '../support/host.ts';
import { playTranscript } from '../support/transcript.ts';
import { firstEngine } from '../support/use-host.ts';

let underlay: Underlay;
let one: Host;
let two: Host;
let browser: TestBrowser;
let page: Page;

before(async () => {
  underlay = await Underlay.create();
  const { suite } = firstEngine;
  one = new Host({ underlay, number: 1, name: 'host1', suite });
  two = new Host({ underlay, number: 2, name: 'host2', suite });
  await Promise.all([one.start(), two.start()]);
  const guide = readFileSync(join(repository, 'docs/guides/two-hosts.md'), 'utf8');
  await playTranscript(guide, { hosts: { host1: one, host2: two } });
  browser = await TestBrowser.start(one.pid);
  ({ page } = await browser.open('http://127.0.0.1:6782/'));
});
after(async () => {
  await browser?.[Symbol.asyncDispose]();
  for (const host of [one, two]) await host?.[Symbol.asyncDispose]();
  await underlay?.[Symbol.asyncDispose]();
});

/** What is drawn for the other host. */
const tile = () =>
  page.locator('.tile').filter({ has: page.getByRole('link', { name: 'host2', exact: true }) });
const attention = () => page.getByRole('region', { name: 'Worth a look' });
const isReached = () =>
  tile()
    // Of what was asked while it was away, some counts as lost for a while.
    .getByText(/^[\d.]+ ms · .*MTU \d+/)
    .waitFor();

test('the other host is shown with the path to it, and what it runs', async () => {
  await isReached();
  await tile().getByText('VXLAN, in clear').waitFor();
  await two.proxied('run', '-d', '--name', 'web', 'busybox', 'sleep', '100000');
  await tile()
    .getByRole('link', { name: /^web 10\.\d+\.\d+\.\d+$/ })
    .waitFor();
  await page.getByRole('heading', { name: '2 hosts, 2 containers' }).waitFor();
});

test('a host whose daemon is killed is shown as gone, and as back once it is launched again', async () => {
  await two.runOk(['kill', '-9', `${await daemonOf(two)}`]);
  await tile().getByText('its daemon is gone').waitFor();
  await attention()
    .getByRole('listitem')
    .filter({ has: page.getByRole('link', { name: 'host2' }) })
    .getByText('its daemon does not run')
    .waitFor();
  await launch(two);
  await isReached();
  await tile().getByRole('link', { name: /^web / }).waitFor();
  await attention().getByText('its daemon does not run').waitFor({ state: 'detached' });
  await page.getByRole('link', { name: 'host2', exact: true }).first().click();
  const history = page.getByRole('table', { name: 'History' });
  for (const text of ['is gone', 'is up']) await history.getByText(text).first().waitFor();
});
