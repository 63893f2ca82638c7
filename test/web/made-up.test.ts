import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Page } from 'playwright-core';
import { EventClients } from '../../src/http/event-clients.ts';
import type { NetworkView } from '../../src/report/network.ts';
import { TestBrowser } from '../support/browser.ts';
import { until } from '../support/host.ts';
import { madeUpEvent, madeUpHost, madeUpNetwork } from '../support/made-up-network.ts';
import { PageServer } from '../support/page-server.ts';

let browser: TestBrowser;
before(async () => {
  browser = await TestBrowser.start();
});
after(() => browser?.[Symbol.asyncDispose]());

const large = { hosts: 100, containers: 5_000 };
const rows = (page: Page) => page.getByRole('table', { name: 'Containers' }).locator('tbody tr:not(.gap)');
const elements = (page: Page) => page.evaluate('document.querySelectorAll("*").length') as Promise<number>;

test('of 100 hosts and 5,000 containers only the visible rows are rendered; all are found', async () => {
  await using server = await PageServer.start(() => madeUpNetwork(large));
  const { page } = await browser.open(server.url);
  await page.getByRole('heading', { name: '100 hosts, 5,000 containers' }).waitFor();
  assert.equal(await page.getByRole('table', { name: 'Containers' }).getAttribute('aria-rowcount'), '5001');
  assert.ok((await elements(page)) < 3_000, `${await elements(page)} elements`);
  assert.ok((await rows(page).count()) < 100);
  // Hosts first; the containers of one when one looks.
  assert.equal(await page.locator('.chip').count(), 0);
  const link = page.getByRole('link', { name: 'node17', exact: true });
  await page.locator('.tile').filter({ has: link }).getByRole('button').click();
  await page.locator('.chip').nth(49).waitFor();
  assert.equal(await page.locator('.chip').count(), 50);

  await page.keyboard.press('End');
  await page.getByRole('link', { name: 'worker500', exact: true }).waitFor();
  assert.ok((await rows(page).count()) < 100);

  await page.keyboard.press('/');
  await page.keyboard.type('10.32.4.210');
  await until('one is left', async () => (await rows(page).count()) === 1);
  await page.getByText('1 of 5,000 containers').waitFor();
  const [shown] = await rows(page).allInnerTexts();
  assert.match(shown ?? '', /10\.32\.4\.210\s+attached/);
  await page.keyboard.press('Escape');
  await until('all are there again', async () => (await rows(page).count()) > 5);
});

test('a table is navigated by arrow keys, sorted by its headings, and Enter opens a container', async () => {
  await using server = await PageServer.start(() => madeUpNetwork(large));
  const { page } = await browser.open(server.url);
  await rows(page).first().getByRole('link').first().focus();
  const focused = () => page.evaluate('document.activeElement.textContent') as Promise<string>;
  for (let step = 2; step <= 41; step++) {
    await page.keyboard.press('ArrowDown');
    await until(`row ${step} has the focus`, async () => (await focused()) === `api${step}`);
  }
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'api41 attached' }).waitFor();
  await until('the heading is where the keyboard goes on', async () => (await focused()).startsWith('api41'));
  await page.goBack();
  const address = page.getByRole('columnheader', { name: 'Address' });
  for (const direction of ['ascending', 'descending']) {
    await address.getByRole('button').click();
    await until(`it is ${direction}`, async () => (await address.getAttribute('aria-sort')) === direction);
  }
  await rows(page).first().getByText('10.32.19.136').waitFor();
});

test('a lost host, a broken path and a condition appear, and disappear again', async () => {
  const network = madeUpNetwork({ hosts: 3, containers: 9 });
  await using server = await PageServer.start(() => network);
  const { page } = await browser.open(server.url);
  await page.getByRole('region', { name: 'All is well' }).waitFor();
  await until('it follows', () => server.clients.size === 1);
  const [, second, third] = network.hosts;
  assert.ok(second?.path && third);
  const broken = {
    ...second.path,
    state: 'failed' as const,
    text: 'no answer from 10.0.0.2; is UDP let through?',
  };
  server.change({
    hosts: [
      { ...second, path: broken },
      { ...third, alive: false, path: null },
    ],
  });
  const attention = page.getByRole('region', { name: 'Worth a look' });
  await attention.getByText('no answer from 10.0.0.2; is UDP let through?').waitFor();
  await attention.getByText('its daemon does not run').waitFor();
  await page.locator('.tile.failed').getByText('no answer').waitFor();
  await page.locator('.tile.gone').getByText('its daemon is gone').waitFor();
  const since = Date.now();
  server.change({
    conditions: [{ code: 'ENGINE_LOST', about: '', text: 'the engine ended its stream', since }],
  });
  await attention.getByText('the engine ended its stream').waitFor();
  server.change({ hosts: [second, third], conditions: [] });
  await page.getByRole('region', { name: 'All is well' }).waitFor();
  // Removed for good, with what it had.
  const left = network.hosts.slice(0, 2).map(({ name }) => name);
  const gone = network.containers.filter(({ host }) => host === third.name).map(({ id }) => id);
  server.change({ hostNames: left, containersGone: gone });
  await page.getByRole('heading', { name: '2 hosts, 6 containers' }).waitFor();
});

test('what the doctor found is on the first page and on its own, failures first of all', async () => {
  const network = madeUpNetwork({ hosts: 1, containers: 1 });
  const passed = network.doctor;
  network.doctor = { at: null, checks: [] };
  await using server = await PageServer.start(() => network);
  const { page } = await browser.open(server.url);
  await page.getByText('Doctor: checking this host').waitFor();
  await until('it follows', () => server.clients.size === 1);
  server.change({ doctor: passed });
  const well = page.getByRole('region', { name: 'All is well' });
  await well.getByText(/^Doctor: 5 checks passed, /).waitFor();

  const [tools, ...others] = passed.checks;
  assert.ok(tools);
  const text = "'sysctl' is not in PATH; apt-get install procps";
  server.change({
    doctor: { ...passed, checks: [{ ...tools, state: 'failed', text, code: 'TOOL_MISSING' }, ...others] },
    healed: [{ code: 'LINKS_CHANGED', about: '', text: 'the bridge was down', since: Date.now() }],
  });
  const attention = page.getByRole('region', { name: 'Worth a look' });
  const items = attention.getByRole('listitem');
  await items.filter({ hasText: text }).getByText('doctor: tools').waitFor();
  await items
    .filter({ hasText: 'the bridge was down' })
    .getByText(/^LINKS_CHANGED repaired/)
    .waitFor();
  await attention.getByText(/^Doctor: 1 of 5 checks failed, /).waitFor();
  await attention.getByRole('link', { name: 'Doctor' }).click();
  await page.getByRole('heading', { name: 'Doctor' }).waitFor();
  const row = (name: string) => page.getByRole('table', { name: 'Checks' }).getByRole('row', { name });
  assert.match(await row('tools').innerText(), /failed\s+'sysctl' is not in PATH/);
  assert.match(await row('offload').innerText(), /skipped/);

  // What a condition tells is not told twice; a repair alone is no trouble.
  const condition = { code: 'TOOL_MISSING', about: '', text: 'a condition tells it', since: Date.now() };
  await page.getByRole('link', { name: 'Network' }).first().click();
  server.change({ conditions: [condition] });
  await attention.getByText('a condition tells it').waitFor();
  assert.equal(await items.filter({ hasText: text }).count(), 0);
  server.change({ conditions: [], doctor: passed });
  await well.getByText('the bridge was down').waitFor();
});

test('markup in names is shown as text everywhere', async () => {
  const program = '<img src=x onerror="window.taken=1"><script>window.taken=1</script>';
  const network: NetworkView = madeUpNetwork({ hosts: 2, containers: 4 });
  const [container, other] = network.containers;
  const [, host] = network.hosts;
  assert.ok(container && other && host?.path);
  Object.assign(container, {
    name: program,
    names: [{ name: program, address: program }],
    addresses: [program],
  });
  Object.assign(other, { state: 'unattached', reason: program });
  Object.assign(host, { nickname: program, address: program });
  Object.assign(host.path, { state: 'failed', text: program });
  const condition = { code: program, about: program, text: program, since: 0 };
  network.conditions.push(condition);
  network.healed.push(condition);
  network.doctor.checks.push({ check: program, state: 'failed', text: program, code: null });
  network.events.push({ ...madeUpEvent(1, container, program), name: program });
  await using server = await PageServer.start(() => network, { history: () => network.events });
  const { page, complaints } = await browser.open(server.url);
  for (const place of [
    '',
    '#/hosts',
    '#/names',
    '#/events',
    '#/doctor',
    `#/container/${container.id}`,
    `#/host/${madeUpHost(2)}`,
  ]) {
    await page.goto(server.url + place);
    await page.locator('main').getByText(program).first().waitFor();
    assert.equal(await page.locator('img, main script').count(), 0, place);
  }
  assert.equal(await page.evaluate('window.taken'), undefined);
  assert.deepEqual(complaints, []);
});

test('light or dark, on every page, text contrasts and a screen reader has names for everything', async () => {
  const network = madeUpNetwork({ hosts: 3, containers: 30 });
  Object.assign(network.containers[3] ?? {}, {
    state: 'unattached',
    addresses: [],
    reason: 'WEAVE_CIDR=none',
  });
  await using server = await PageServer.start(() => network);
  network.doctor.checks.push({ check: 'names', state: 'failed', text: 'no answer', code: null });
  const places = [
    ...['', '#/hosts', '#/names', '#/events', '#/doctor'],
    ...[`#/container/${network.containers[3]?.id}`, `#/host/${madeUpHost(2)}`],
  ];
  const papers: unknown[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page } = await browser.open(server.url, { colorScheme });
    await rows(page).first().waitFor();
    papers.push(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
    for (const place of places) {
      await page.goto(server.url + place);
      await page.locator('main h1').waitFor();
      assert.deepEqual(await page.evaluate(poorContrast), [], `${colorScheme} ${place}`);
      assert.deepEqual(await page.evaluate(poorStructure), [], place);
    }
  }
  assert.notEqual(papers[0], papers[1]);
});

test('one page too many says so, and connects once there is room', async () => {
  const clients = new EventClients({ clients: 1 });
  await using server = await PageServer.start(() => madeUpNetwork({ hosts: 1, containers: 1 }), { clients });
  const first = await browser.open(server.url);
  await first.page.getByText('live', { exact: true }).waitFor();
  const second = await browser.open(server.url);
  await second.page.getByText('not connected').waitFor();
  await first.page.close();
  await second.page.getByText('live', { exact: true }).waitFor();
});

/** Texts whose colour is too near to that of what they stand on, 4.5 to 1 being what is asked for. */
const poorContrast = `(() => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
  const rgb = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = (colour) => rgb(colour).slice(0, 3).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => { for (let at = element; at; at = at.parentElement) { const colour = getComputedStyle(at).backgroundColor; if (rgb(colour)[3] === 255) return colour; } return 'white'; };
  const texts = [...document.querySelectorAll('main *, header *')].filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && e.offsetParent);
  const poor = texts.map((e) => { const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x); return [e.className + ' ' + e.textContent.slice(0, 30), (a + 0.05) / (b + 0.05)]; }).filter(([, ratio]) => ratio < 4.5);
  return [...new Set(poor.map(([text, ratio]) => text + ' ' + ratio.toFixed(2)))].slice(0, 10);
})()`;

/** What a screen reader has no name or place for. */
const poorStructure = `(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const poor = all('a, button, input, table, nav').filter((e) => !(e.getAttribute('aria-label') || (e.matches('a, button') && e.textContent.trim()))).map((e) => 'no name: ' + e.outerHTML.slice(0, 80));
  for (const named of ['aria-labelledby', 'aria-controls'])
    for (const e of all('[' + named + ']')) if (!document.getElementById(e.getAttribute(named)) && e.getAttribute('aria-expanded') !== 'false') poor.push(named + ' leads nowhere: ' + e.getAttribute(named));
  const ids = all('[id]').map((e) => e.id);
  poor.push(...ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => 'twice: ' + id));
  const levels = all('h1, h2, h3, h4').map((e) => Number(e.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) poor.push('h1: ' + levels);
  levels.forEach((level, index) => { if (level > (levels[index - 1] ?? 0) + 1) poor.push('a level left out: ' + levels); });
  if (all('main').length !== 1 || !document.documentElement.lang || !document.title) poor.push('main, lang or title');
  if (all('th').some((e) => !e.scope)) poor.push('a heading of a table without scope');
  return poor;
})()`;
