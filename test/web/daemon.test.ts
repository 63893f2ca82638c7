import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Page } from 'playwright-core';
import { TestBrowser, type WatchedPage } from '../support/browser.ts';
import { until } from '../support/until.ts';
import { useHost } from '../support/use-host.ts';

const url = 'http://127.0.0.1:6782/';
let browser: TestBrowser;
let watched: WatchedPage;

const host = useHost({
  launch: [],
  prepare: async () => {
    browser = await TestBrowser.start(host.pid);
    watched = await browser.open(url);
  },
});
after(() => browser?.[Symbol.asyncDispose]());

/** The row of a container, by its name. */
const rowOf = (page: Page, name: string) =>
  page
    .getByRole('table', { name: 'Containers' })
    .getByRole('row')
    .filter({
      has: page.getByRole('link', { name, exact: true }),
    });

const run = (name: string, ...options: string[]) =>
  host.proxied('run', '-d', '--name', name, ...options, 'busybox', 'sleep', '100000');

test('a container that starts, is renamed, stops and goes is shown live', async () => {
  const { page } = watched;
  await page.getByText('There are no containers yet.').waitFor();
  await run('web');
  const address = (await host.weavets('ps', 'web')).stdout.trim().split(' ').at(-1)?.replace(/\/.*/, '');
  assert.ok(address);
  await rowOf(page, 'web').getByText('attached', { exact: true }).waitFor();
  for (const text of [address, 'web.weave.local']) await rowOf(page, 'web').getByText(text).first().waitFor();
  await page.getByRole('heading', { name: '1 host, 1 container' }).waitFor();

  await host.proxied('rename', 'web', 'shop');
  await rowOf(page, 'shop').getByText('shop.weave.local').waitFor();
  await until('the former name is gone', async () => (await rowOf(page, 'web').count()) === 0);

  await host.proxied('stop', '-t', '0', 'shop');
  await rowOf(page, 'shop').getByText('stopped').waitFor();
  await until('it has no address', async () => !(await rowOf(page, 'shop').innerText()).includes(address));

  await rowOf(page, 'shop').getByRole('link', { name: 'shop' }).click();
  await page.getByRole('heading', { name: 'shop stopped' }).waitFor();
  const history = page.getByRole('table', { name: 'History' });
  await history.getByText('ended with exit code 137').waitFor();
  for (const text of ['started', `attached as ${address}/12 in`, 'renamed from web', 'detached'])
    await history.getByText(text).first().waitFor();

  await host.proxied('rm', 'shop');
  await page.getByText('This container is gone.').waitFor();
  await history.getByText('removed').waitFor();
  await page.getByRole('link', { name: 'Network' }).first().click();
  await page.getByText('There are no containers yet.').waitFor();
});

test('why one was not started, and others are not attached, is on the first page and on theirs', async () => {
  const { page } = watched;
  await run('holder');
  const taken = (await host.weavets('ps', 'holder')).stdout.trim().split(' ').at(-1) ?? '';
  const refused = await host.tryProxied(
    ...['run', '-d', '--name', 'refused', '-e', `WEAVE_CIDR=${taken}`, 'busybox', 'true'],
  );
  assert.notEqual(refused.code, 0);
  await run('alien', '--net', 'host');
  await host.docker('run', '-d', '--name', 'past', 'busybox', 'sleep', '100000');
  const attention = page.getByRole('region', { name: 'Worth a look' });
  const reasons: [name: string, state: string, reason: RegExp][] = [
    ['refused', 'stopped', /not started: .* is already in use by/],
    ['alien', 'not attached', /it shares the network of the host/],
    ['past', 'not attached', /it was not created through the proxy/],
  ];
  for (const [name, state, reason] of reasons) {
    const item = attention
      .getByRole('listitem')
      .filter({ has: page.getByRole('link', { name, exact: true }) });
    await item.getByText(reason).waitFor();
    await item.getByText(state, { exact: true }).waitFor();
    await item.getByRole('link', { name, exact: true }).click();
    await page.getByRole('heading', { name: `${name} ${state}` }).waitFor();
    await page.locator('.callout').getByText(reason).waitFor();
    await page.goBack();
  }
  await host.weavets('attach', 'past');
  await rowOf(page, 'past').getByText('attached', { exact: true }).waitFor();
  await host.weavets('detach', 'past');
  await rowOf(page, 'past').getByText("it was detached by 'weavets detach'").waitFor();
});

test("markup in a container's request is shown as text", async () => {
  const { page } = watched;
  const program = '<img/src=x/onerror=document.title="taken">';
  await host.docker(
    ...['run', '-d', '--name', 'hostile', '--label', `name=${program}`, '-e', `WEAVE_CIDR=${program}`],
    ...['busybox', 'sleep', '100000'],
  );
  await rowOf(page, 'hostile').getByText('onerror').waitFor();
  await rowOf(page, 'hostile').getByRole('link', { name: 'hostile' }).click();
  await page.locator('.callout').getByText('<img/src=x').waitFor();
  assert.equal(await page.locator('img').count(), 0);
  assert.doesNotMatch(await page.title(), /taken/);
  await page.goBack();
});

test('what the doctor finds is shown: failures with what to do, and repairs', async () => {
  const { page } = watched;
  // The first round begins with the first page.
  await page.getByText(/^Doctor: \d+ checks passed, /).waitFor();
  await host.shell('mount --bind /dev/null $(command -v sysctl); ip link set weave down');
  // Asked by hand, it is not waited for until the next round.
  assert.equal((await host.weavets('doctor')).code, 1);
  const attention = page.getByRole('region', { name: 'Worth a look' });
  const item = (text: RegExp) => attention.getByRole('listitem').filter({ hasText: text });
  await item(/'sysctl' is not in PATH.*procps/)
    .getByText('doctor: tools')
    .waitFor();
  await item(/the bridge was down/)
    .getByText(/^LINKS_CHANGED repaired/)
    .waitFor();
  await page.getByRole('link', { name: 'Doctor' }).first().click();
  const checks = page.getByRole('table', { name: 'Checks' });
  await checks.getByRole('row', { name: /^tools failed/ }).waitFor();
  await checks.getByRole('row', { name: /^links repaired/ }).waitFor();
  await checks.getByRole('row', { name: /^engine ok/ }).waitFor();
  await host.shell('umount $(command -v sysctl)');
  await host.weavets('doctor');
  await checks.getByRole('row', { name: /^tools ok/ }).waitFor();
  await page.goBack();
});

test('a page whose daemon goes says so, and recovers with the next daemon', async () => {
  const { page } = watched;
  await host.weavets('stop');
  await page.getByText('not connected: the daemon does not answer').waitFor();
  await host.launch();
  await page.getByText('live', { exact: true }).waitFor();
  await run('again');
  await rowOf(page, 'again').getByText('attached', { exact: true }).waitFor();
});

test('nothing is loaded from elsewhere, and the browser reports no errors', () => {
  const { loaded, complaints } = watched;
  assert.ok(loaded.length > 4);
  assert.deepEqual(
    loaded.filter((address) => !address.startsWith(url)),
    [],
  );
  // While the daemon was gone there was nothing to load from.
  assert.deepEqual(
    complaints.filter((text) => !/net::ERR_/.test(text)),
    [],
  );
});
