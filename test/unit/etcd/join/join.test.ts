import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { type CertificateAndKey, createAuthority, issue } from '../../../../src/etcd/authority.ts';
import { askToJoin, type Credential } from '../../../../src/etcd/join/client.ts';
import { protocol, type Welcome } from '../../../../src/etcd/join/messages.ts';
import { type Door, JoinServer } from '../../../../src/etcd/join/server.ts';
import { fingerprintOf, newSecret } from '../../../../src/etcd/join/token.ts';
import { Tokens } from '../../../../src/etcd/join/tokens.ts';
import { WeaveError } from '../../../../src/lib/errors.ts';
import { runOk } from '../../../../src/lib/exec.ts';
import { silent } from '../../../../src/lib/log.ts';
import type { Ip } from '../../../../src/model/address.ts';
import { LmdbStore } from '../../../../src/store/lmdb.ts';

const folder = mkdtempSync(join(tmpdir(), 'weavets-join-'));
after(() => rmSync(folder, { recursive: true }));
let count = 0;

const address = '127.0.0.1' as Ip;
const self = { name: '02:00:00:00:00:02', nickname: 'host2', address };
const password = 'correct horse';

interface Made {
  port: number;
  ca: CertificateAndKey;
  tokens: Tokens;
  admitted: string[];
}

/** A host that lets others in. */
async function host(t: TestContext, door: Partial<Door> = {}): Promise<Made> {
  const ca = createAuthority(`c${count}`);
  const store = LmdbStore.open(join(folder, `${count++}`));
  const tokens = new Tokens(store, silent);
  const admitted: string[] = [];
  const server = await JoinServer.start({
    address,
    port: 0,
    certificate: certificateOf(ca),
    door: {
      password: null,
      open: false,
      checkToken: (secret) => tokens.check(secret),
      admit: async ({ nickname }) => {
        admitted.push(nickname);
        return welcomeOf(ca);
      },
      ...door,
    },
    logger: silent,
  });
  t.after(async () => {
    await server.close();
    await store.close();
  });
  return { port: server.port, ca, tokens, admitted };
}

function certificateOf(ca: CertificateAndKey) {
  const { cert, key } = issue({ ca, kind: 'member', name: 'host1', addresses: [address] });
  return { cert, key, ca: ca.cert };
}

const welcomeOf = (authority: CertificateAndKey): Welcome => ({
  authority,
  endpoints: ['10.0.0.1:6786'],
  range: '10.32.0.0/12',
  domain: 'weave.local.',
  password: 'a secret',
});

const pin = (ca: CertificateAndKey) => fingerprintOf(new X509Certificate(ca.cert).raw);
const ask = (port: number, by: Credential) => askToJoin({ host: address, port, by, self });
const byToken = ({ ca }: Pick<Made, 'ca'>, secret: string): Credential => ({
  kind: 'token',
  fingerprint: pin(ca),
  secret,
});
const byPassword = (text = password): Credential => ({ kind: 'password', password: text });
const refused = (message: RegExp) => ({ code: 'JOIN_REFUSED', message });

/** Somebody who stands between: ends TLS with a certificate of his own, and may alter what is said. */
async function between(
  t: TestContext,
  port: number,
  { certificate, alter = (line) => line }: { certificate: ReturnType<typeof certificateOf>; alter?: Alter },
) {
  const heard: string[] = [];
  const context = { cert: `${certificate.cert}${certificate.ca}`, key: certificate.key };
  const server = createServer({ ...context, ALPNProtocols: [protocol] }, (asking) => {
    const asked = connect({ host: address, port, rejectUnauthorized: false, ALPNProtocols: [protocol] });
    const pass = (from: TLSSocket, to: TLSSocket, side: 'asking' | 'asked') => {
      let text = '';
      from.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
        const lines = text.split('\n');
        text = lines.pop() ?? '';
        for (const line of lines) {
          heard.push(line);
          to.write(`${alter(line, side)}\n`);
        }
      });
      from.on('end', () => to.end()).on('error', () => to.destroy());
    };
    pass(asking, asked, 'asking');
    pass(asked, asking, 'asked');
  });
  await once(server.listen(0, address), 'listening');
  t.after(() => server.close());
  return { port: (server.address() as { port: number }).port, heard };
}
type Alter = (line: string, side: 'asking' | 'asked') => string;

test('a token can be used repeatedly while it is valid', async (t) => {
  const made = await host(t);
  const secret = await made.tokens.create(60_000);
  assert.deepEqual(await ask(made.port, byToken(made, secret)), welcomeOf(made.ca));
  assert.deepEqual(await ask(made.port, byToken(made, secret)), welcomeOf(made.ca));
  assert.deepEqual(made.admitted, ['host2', 'host2']);
});

test('a token that is wrong, expired or revoked is refused in words', async (t) => {
  let now = Date.now();
  const store = LmdbStore.open(join(folder, `${count++}`));
  t.after(() => store.close());
  const tokens = new Tokens(store, silent, () => now);
  const made = await host(t, { checkToken: (secret) => tokens.check(secret) });
  const [expired, revoked] = [await tokens.create(1_000), await tokens.create(60_000)];
  await tokens.revoke(revoked);
  now += 2_000;
  await assert.rejects(ask(made.port, byToken(made, newSecret())), refused(/the token is wrong/));
  await assert.rejects(ask(made.port, byToken(made, expired)), refused(/expired.*cluster token/));
  await assert.rejects(ask(made.port, byToken(made, revoked)), refused(/revoked/));
  await assert.rejects(ask(made.port, { kind: 'open' }), refused(/not open.*--join TOKEN@HOST/));
  await assert.rejects(ask(made.port, byPassword()), refused(/no password.*--join/));
  assert.deepEqual(made.admitted, []);
});

test("a token is not shown to a host of another cluster, nor to one that only knows the authority's certificate", async (t) => {
  const [made, other] = [await host(t), await host(t)];
  const secret = await made.tokens.create(60_000);
  await assert.rejects(
    ask(other.port, byToken(made, secret)),
    refused(/not of the cluster that made this token/),
  );
  const evil = createAuthority('evil');
  const relay = await between(t, made.port, { certificate: certificateOf(evil) });
  await assert.rejects(ask(relay.port, byToken(made, secret)), refused(/somebody stands between/));
  // An authority of the same name, and the right one's certificate sent along, which the leaf does not tell from it.
  const [, name = ''] = /^CN=(.+)$/.exec(new X509Certificate(made.ca.cert).subject) ?? [];
  const at = (file: string) => join(folder, `forged.${file}`);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await runOk([
    'openssl',
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca'),
    '-subj',
    `/CN=${name}`,
  ]);
  await runOk([
    'openssl',
    'req',
    ...newKey,
    '-keyout',
    at('key'),
    '-out',
    at('request'),
    '-subj',
    '/CN=host1',
  ]);
  writeFileSync(at('ext'), 'extendedKeyUsage=serverAuth\nauthorityKeyIdentifier=none\n');
  const issuer = ['-CA', at('ca'), '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', at('ext')];
  await runOk(['openssl', 'x509', '-req', '-in', at('request'), ...issuer, '-out', at('cert')]);
  const forged = {
    cert: readFileSync(at('cert'), 'utf8'),
    key: readFileSync(at('key'), 'utf8'),
    ca: made.ca.cert,
  };
  const poser = await between(t, made.port, { certificate: forged });
  await assert.rejects(
    ask(poser.port, byToken(made, secret)),
    refused(/shows a certificate that its cluster did not make/),
  );
  assert.deepEqual([...relay.heard, ...poser.heard, ...made.admitted, ...other.admitted], []);
});

test('the password admits those who know it, and is revealed to nobody', async (t) => {
  const made = await host(t, { password });
  assert.deepEqual(await ask(made.port, byPassword()), welcomeOf(made.ca));
  await assert.rejects(ask(made.port, byPassword('battery staple')), refused(/another password/));
  await assert.rejects(ask(made.port, { kind: 'open' }), refused(/not open.*the password/));
  assert.deepEqual(made.admitted, ['host2']);
});

test('a man in the middle of two hosts with one password is detected by both', async (t) => {
  const made = await host(t, { password });
  const certificate = certificateOf(createAuthority('evil'));
  const relay = await between(t, made.port, { certificate });
  await assert.rejects(ask(relay.port, byPassword()), refused(/somebody stands between/));
  assert.deepEqual(made.admitted, []);
  assert.ok(relay.heard.every((line) => !line.includes(password)));
  // One that answers in place of the host, when the proof has gone its way.
  const welcome = { welcome: welcomeOf(createAuthority('evil')), binding: '0'.repeat(64) };
  const liar = await between(t, made.port, {
    certificate,
    alter: (line, side) => (side === 'asked' && line.includes('refused') ? JSON.stringify(welcome) : line),
  });
  await assert.rejects(ask(liar.port, byPassword()), refused(/somebody stands between/));
});

test("passwords can't be guessed by trying", async (t) => {
  const made = await host(t, { password });
  for (let i = 0; i < 10; i++)
    await assert.rejects(ask(made.port, byPassword(`guess ${i}`)), refused(/another/));
  await assert.rejects(ask(made.port, byPassword()), refused(/too many wrong attempts/));
});

test('an open host lets everyone in; one that is looking for others says so', async (t) => {
  const open = await host(t, { open: true });
  assert.deepEqual(await ask(open.port, { kind: 'open' }), welcomeOf(open.ca));
  const seeking = await host(t, { open: true, admit: async () => 'wait' as const });
  assert.equal(await ask(seeking.port, { kind: 'open' }), 'wait');
});

test('a host is told why it was refused, but not of internal errors', async (t) => {
  const mismatch = async () => {
    throw new WeaveError('CLUSTER_MISMATCH', 'it has the name of another');
  };
  const named = await host(t, { open: true, admit: mismatch });
  await assert.rejects(ask(named.port, { kind: 'open' }), refused(/it has the name of another/));
  const broken = await host(t, {
    open: true,
    admit: async () => {
      throw new Error('/etc/secret');
    },
  });
  await assert.rejects(
    ask(broken.port, { kind: 'open' }),
    (error: Error) => !error.message.includes('secret'),
  );
});

test('something that is not weavets is distinguished from a host that refuses', async (t) => {
  const closed = createServer().listen(0, address);
  await once(closed, 'listening');
  const { port } = closed.address() as { port: number };
  await once(closed.close(), 'close');
  await assert.rejects(ask(port, { kind: 'open' }), { code: 'JOIN_UNREACHABLE', message: /6783/ });
  const certificate = certificateOf(createAuthority('web'));
  const web = createServer({ cert: certificate.cert, key: certificate.key }, (socket) => {
    socket.on('error', () => {});
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  await once(web.listen(0, address), 'listening');
  t.after(() => web.close());
  const webPort = (web.address() as { port: number }).port;
  await assert.rejects(ask(webPort, { kind: 'open' }), { code: 'JOIN_UNREACHABLE', message: /no weavets/ });
});

test('nonsense, silence and long lines end only their own connection', async (t) => {
  const made = await host(t, { open: true });
  const plain = connectPlain(made.port, address).on('error', () => {});
  plain.write('GET / HTTP/1.1\r\n\r\n');
  for (const text of ['nonsense\n', '{"by":{"kind":"open"}}\n', `${'x'.repeat(200_000)}`]) {
    const socket = connect({
      host: address,
      port: made.port,
      rejectUnauthorized: false,
      ALPNProtocols: [protocol],
    });
    await once(socket, 'secureConnect');
    let said = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      said += chunk;
    });
    socket.on('error', () => {});
    socket.write(text);
    await once(socket, 'close');
    assert.match(said, /"refused"|^$/);
  }
  plain.destroy();
  assert.deepEqual(await ask(made.port, { kind: 'open' }), welcomeOf(made.ca));
});
