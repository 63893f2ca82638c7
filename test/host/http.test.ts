import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/host.ts';
import { useHost } from '../support/use-host.ts';

const api = 'http://127.0.0.1:6784';
const statusServer = 'http://127.0.0.1:6782';

const host = useHost({ launch: ['--http-addr', '127.0.0.1:6784'] });

interface Reply {
  status: number;
  headers: string;
  body: string;
}

/** A request by curl, to a URL or, for a path, to the control socket. */
async function curl(target: string, ...options: string[]): Promise<Reply> {
  const where = target.startsWith('/')
    ? ['--unix-socket', '/var/run/weave/control.sock', `http://localhost${target}`]
    : [target];
  const out = await host.runOk(['curl', '-sS', '-g', '-i', '--max-time', '20', ...options, ...where]);
  const end = out.indexOf('\r\n\r\n');
  const headers = out.slice(0, end);
  return { status: Number(headers.split(' ')[1]), headers, body: out.slice(end + 4) };
}

const both = (path: string) => [path, `${api}${path}`];

async function expect(status: number, body: string | RegExp, target: string, ...options: string[]) {
  const reply = await curl(target, ...options);
  const what = `${options.join(' ')} ${target}: ${reply.headers}\n${reply.body}`;
  assert.equal(reply.status, status, what);
  if (typeof body === 'string') assert.equal(reply.body, body, what);
  else assert.match(reply.body, body, what);
}

const run = (name: string) => host.proxied('run', '-d', '--name', name, 'busybox', 'sleep', '100000');

test('status, report and their parts match the command line', async () => {
  await run('shown');
  for (const topic of ['', 'dns', 'ipam', 'peers', 'connections', 'targets']) {
    const { stdout } = await host.weavets('status', ...(topic ? [topic] : []));
    const path = topic ? `/status/${topic}` : '/status';
    for (const target of [...both(path), `${statusServer}${path}`]) await expect(200, stdout, target);
  }
  await expect(200, /^shown +10\.32\.0\.1 /, '/status/dns');
  await expect(404, /no status of 'nonsense'; there is targets/, '/status/nonsense');
  const { stdout } = await host.weavets('report');
  for (const target of [...both('/report'), `${statusServer}/report`]) {
    await expect(200, stdout, target, '-H', 'Accept: application/json');
    await expect(200, stdout, target, '-H', 'Accept:');
    await expect(
      400,
      /templates are not rendered here; use 'weavets report -f/,
      target,
      '-G',
      '-d',
      'format={{.Version}}',
    );
  }
  assert.match((await curl('/report')).headers, /Content-Type: application\/json/);
});

test('domain, dns-address and proxyaddrs', async () => {
  const bridge = (await host.weavets('docker-bridge-ip')).stdout.trim();
  for (const target of both('/domain')) await expect(200, 'weave.local.', target);
  for (const target of both('/dns-address')) await expect(200, bridge, target);
  for (const target of both('/proxyaddrs')) await expect(200, 'unix:///var/run/weave/weave.sock', target);
});

test('addresses: allocate, look up, claim, release', async () => {
  for (const target of both('/ip/alien')) {
    await expect(404, /alien has no such address/, target);
    await expect(200, /^10\.32\.0\.\d+\/12$/, target, '-X', 'POST');
    const { body } = await curl(target);
    await expect(200, body, target, '-X', 'POST');
    await expect(200, '10.32.8.1/24', `${target}/10.32.8.0/24`, '-X', 'POST');
    await expect(200, '10.32.8.1/24', `${target}/10.32.8.0%2F24`);
    await expect(404, /no such address/, `${target}/10.32.9.0/24`);
    await expect(200, '10.32.9.9/24', `${target}/10.32.9.9/24`, '-X', 'PUT');
    await expect(409, /10\.32\.9\.9 is already in use by alien/, `/ip/other/10.32.9.9/24`, '-X', 'PUT');
    await expect(200, `${body} 10.32.8.1/24 10.32.9.9/24`, target);
    await expect(200, new RegExp(`^alien ${body} 10.32.8.1/24 10.32.9.9/24$`, 'm'), '/ip');
    await expect(204, '', `${target}/10.32.8.1`, '-X', 'DELETE');
    await expect(200, `${body} 10.32.9.9/24`, target);
    await expect(204, '', target, '-X', 'DELETE');
    await expect(404, /alien has no such address/, target, '-X', 'DELETE');
    await expect(404, /alien has no such address/, target);
  }
});

test('an address taken over HTTP is given to no container', async () => {
  const { body } = await curl('/ip/squatter', '-X', 'POST');
  await run('beside');
  const addresses = (await host.weavets('ps', 'beside')).stdout;
  assert.ok(body && !addresses.includes(body), addresses);
  await expect(200, '10.32.200.7/24', '/ip/squatter/10.32.200.7/24', '-X', 'PUT');
  const refused = await host.tryProxied('run', '-d', '-e', 'WEAVE_CIDR=10.32.200.7/24', 'busybox', 'true');
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /10\.32\.200\.7 is already in use by squatter/);
});

test('a container is found by name, short and full id; check-alive requires that it runs', async () => {
  const id = await run('alive');
  const { body } = await curl(`/ip/${id}`);
  assert.match(body, /^10\.32\.0\.\d+\/12$/);
  assert.equal((await host.weavets('ps', 'alive')).stdout.trim().split(' ').at(-1), body);
  for (const name of ['alive', id.slice(0, 12)]) await expect(200, body, `/ip/${name}`);
  await expect(200, body, '/ip/alive?check-alive=true', '-X', 'POST');
  await host.docker('kill', 'alive');
  await expect(409, /alive does not run/, '/ip/alive/10.32.30.0/24?check-alive=true', '-X', 'POST');
  await expect(409, /alive does not run/, '/ip/alive/10.32.30.4/24', '-X', 'PUT', '-d', 'check-alive=true');
  // What was refused is free, and what it had is still its own.
  await expect(200, body, '/ip/alive');
  await expect(404, /no container is called nobody/, '/ip/nobody?check-alive=true', '-X', 'POST');
  await expect(404, /nobody has no such address/, '/ip/nobody');
  await host.docker('rm', 'alive');
  await until('its address is free', async () => (await curl(`/ip/${id}`)).status === 404);
});

test('names: added and removed, by query and by form', async () => {
  const id = await run('named');
  const lookup = async (name: string) => (await host.weavets('dns-lookup', name)).stdout;
  await expect(204, '', `/name/${id}/10.32.77.1?fqdn=db.weave.local`, '-X', 'PUT');
  const form = ['-X', 'PUT', '--data-urlencode', 'fqdn=db.weave.local', '-d', 'check-alive=true'];
  await expect(204, '', `${api}/name/named/10.32.77.2`, ...form);
  assert.deepEqual((await lookup('db')).trim().split('\n').sort(), ['10.32.77.1', '10.32.77.2']);
  assert.match(
    (await host.weavets('status', 'dns')).stdout,
    new RegExp(`db +10.32.77.2 +${id.slice(0, 12)}`),
  );
  await expect(204, '', `${api}/name/named/10.32.77.1?fqdn=db.weave.local`, '-X', 'DELETE');
  assert.equal(await lookup('db'), '10.32.77.2\n');
  await expect(204, '', '/name/named?fqdn=db.weave.local', '-X', 'DELETE');
  assert.equal(await lookup('db'), '');
  assert.notEqual(await lookup('named'), '');
  await expect(400, /fqdn: '' is not a name/, '/name/named/10.32.77.1', '-X', 'PUT');
  await expect(400, /is not an IPv4 address/, '/name/named/10.32.77?fqdn=x', '-X', 'PUT');
  await expect(404, /no container/, '/name/nobody/10.32.77.1?fqdn=x&check-alive=true', '-X', 'PUT');
});

test('the host’s own address', async () => {
  const { status, body } = await curl(`${api}/expose?fqdn=me.weave.local`, '-X', 'POST');
  assert.equal(status, 200, body);
  const addresses = () => host.runOk(['ip', '-4', 'addr', 'show', 'weave']);
  assert.match(await addresses(), new RegExp(`inet ${body} `));
  assert.equal(`${(await host.weavets('dns-lookup', 'me')).stdout.trim()}/12`, body);
  await expect(200, '10.32.40.1/24', '/expose/10.32.40.1/24', '-X', 'POST');
  assert.match(await addresses(), /inet 10\.32\.40\.1\/24 /);
  await expect(204, '', '/expose/10.32.40.1/24', '-X', 'DELETE');
  await expect(204, '', '/expose', '-X', 'DELETE');
  assert.doesNotMatch(await addresses(), /inet (?!169\.254\.)/);
  await expect(404, /the host has no such address/, '/expose', '-X', 'DELETE');
});

test('bad input gets the right status', async () => {
  const post = ['-X', 'POST'];
  await expect(400, /is not an address in CIDR form/, '/ip/x/10.32.1', ...post);
  await expect(400, /is not inside the address range/, '/ip/x/10.99.0.0/24', ...post);
  await expect(400, /is not an address in CIDR form/, '/ip/x/10.32.1.0/33', ...post);
  await expect(400, /is the broadcast address/, '/ip/x/10.32.1.255/24', '-X', 'PUT');
  await expect(400, /can't be a container's id/, '/ip/..%2F..', ...post);
  await expect(400, /percent-encoded/, '/ip/%ff', ...post);
  await expect(400, /a body must be a form/, '/ip/x', ...post, '-H', 'Content-Type: text/plain', '-d', 'a');
  await expect(413, /a request may have/, '/ip/x', ...post, '-d', `a=${'x'.repeat(70_000)}`);
  await expect(200, '10.32.50.1/30', '/ip/x/10.32.50.0/30', ...post);
  await expect(200, '10.32.50.2/30', '/ip/y/10.32.50.0/30', ...post);
  await expect(503, /no free address in 10\.32\.50\.0\/30/, '/ip/z/10.32.50.0/30', ...post);
  await expect(404, /nothing at \/nonsense/, '/nonsense');
  const reply = await curl(`${api}/ip/x`, '-X', 'PATCH');
  assert.equal(reply.status, 405);
  assert.match(reply.headers, /^Allow: GET, HEAD, POST, DELETE\r?$/m);
});

test('web pages get nothing: rebound names, foreign origins', async () => {
  const allocate = ['-X', 'POST'];
  for (const name of [
    'evil.example',
    'evil.example:6784',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '10.0.0.1',
  ]) {
    for (const target of [...both('/ip/rebound'), `${statusServer}/status`]) {
      await expect(403, /is not this server/, target, ...allocate, '-H', `Host: ${name}`);
    }
  }
  for (const header of [
    'Origin: http://evil.example',
    'Origin: null',
    'Origin: http://localhost:8080',
    'Sec-Fetch-Site: cross-site',
    'Sec-Fetch-Site: same-site',
  ]) {
    for (const target of both('/ip/rebound')) {
      await expect(403, /may not use this server/, target, ...allocate, '-H', header);
    }
  }
  await expect(404, /rebound has no such address/, '/ip/rebound');
  for (const name of ['localhost', 'localhost:6784', '127.0.0.1', '[::1]:6784', 'unix']) {
    await expect(200, 'weave.local.', `${api}/domain`, '-H', `Host: ${name}`);
  }
  const own = ['-H', 'Origin: http://127.0.0.1:6784', '-H', 'Sec-Fetch-Site: same-origin'];
  await expect(200, 'weave.local.', `${api}/domain`, ...own);
});

test("the control socket's operations are not available over TCP", async () => {
  for (const address of [api, statusServer]) {
    await expect(404, /nothing at/, `${address}/op/ping`, '-X', 'POST', '-d', '{}');
  }
});

test('the status server is read-only', async () => {
  for (const path of ['/ip/x', '/ip', '/name/x/10.32.0.9?fqdn=x', '/expose', '/proxyaddrs', '/domain']) {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
      await expect(404, /nothing at/, `${statusServer}${path}`, '-X', method);
    }
  }
  for (const path of ['/status', '/status/dns', '/report', '/metrics']) {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const reply = await curl(`${statusServer}${path}`, '-X', method);
      assert.equal(reply.status, 405);
      assert.match(reply.headers, /^Allow: GET, HEAD\r?$/m);
    }
    const head = await curl(`${statusServer}${path}`, '-I');
    assert.deepEqual([head.status, head.body], [200, '']);
  }
});

/** Series and their values, of Prometheus' text format; every line has to be of it. */
function parseMetrics(text: string): Map<string, number> {
  const series = new Map<string, number>();
  for (const line of text.trimEnd().split('\n')) {
    if (/^# (HELP \w+ .+|TYPE \w+ (gauge|counter|histogram|summary))$/.test(line) || line === '') continue;
    const [, name, value] = /^(\w+(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})?) (\S+)$/.exec(line) ?? [];
    assert.ok(name && value && !series.has(name), `a metric: ${line}`);
    series.set(name, Number(value));
  }
  return series;
}

test('metrics match the state', async () => {
  await run('measured');
  const before = parseMetrics((await curl(`${statusServer}/metrics`)).body);
  await host.proxied('run', '-d', '--name', 'measured2', 'busybox', 'sleep', '100000');
  const reply = await curl(`${statusServer}/metrics`);
  assert.match(reply.headers, /Content-Type: text\/plain; version=0\.0\.4/);
  const metrics = parseMetrics(reply.body);
  for (const name of [
    'weave_ips',
    'weave_dns_entries',
    'weavets_attachments',
    'weavets_attach_duration_seconds_count',
  ]) {
    assert.equal(metrics.get(name), (before.get(name) ?? Number.NaN) + 1, name);
  }
  assert.equal(metrics.get('weave_max_ips'), 2 ** 20);
  assert.equal(metrics.get('weave_connections{state="established",type="vxlan"}'), 0);
  const version = (await host.weavets('version')).stdout.trim().split(' ').at(-1);
  assert.equal(metrics.get(`weavets_build_info{version="${version}"}`), 1);
  assert.ok((metrics.get('process_resident_memory_bytes') ?? 0) > 10_000_000);
  for (const target of both('/metrics')) parseMetrics((await curl(target)).body);
});

test('launch refuses busy or exposed addresses, with the reason', async () => {
  await host.weavets('stop');
  const squatter = host.spawn(['socat', 'TCP-LISTEN:6790,bind=127.0.0.1,fork', 'PIPE']);
  await until('the port is taken', async () =>
    (await host.runOk(['ss', '-Hltn', 'sport = 6790'])).includes('6790'),
  );
  const launch = (...flags: string[]) => host.weavets('launch', ...flags);
  const status = await launch('--status-addr', '127.0.0.1:6790');
  assert.equal(status.code, 1);
  assert.match(status.stderr, /127\.0\.0\.1:6790.* --status-addr or WEAVE_STATUS_ADDR/);
  const http = await launch('--http-addr', '127.0.0.1:6790');
  assert.match(http.stderr, /127\.0\.0\.1:6790.* --http-addr or WEAVE_HTTP_ADDR/);
  const open = await launch('--http-addr', '0.0.0.0:6791');
  assert.match(open.stderr, /--http-addr 0\.0\.0\.0:6791 would let others control this host/);
  squatter.kill();

  assert.equal(
    (await launch('--http-addr', '0.0.0.0:6791', '--allow-insecure-tcp', '--status-addr', 'off')).code,
    0,
  );
  await expect(200, 'weave.local.', `http://${host.address}:6791/domain`);
  await expect(403, /is not this server/, `http://${host.address}:6791/domain`, '-H', 'Host: evil.example');
  assert.equal((await host.run(['curl', '-sS', `${statusServer}/status`])).code, 7);
});
