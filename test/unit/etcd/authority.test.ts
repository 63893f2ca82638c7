import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { clusterIdOf, createAuthority, fingerprint, issue, renewalDue } from '../../../src/etcd/authority.ts';
import { ensureCertificates, etcdFiles } from '../../../src/etcd/files.ts';
import { run, runOk } from '../../../src/lib/exec.ts';

const day = 86_400_000;
let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'weavets-authority-'));
});
after(() => rmSync(folder, { recursive: true }));

const ca = createAuthority('0123456789ab');

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test('openssl accepts the certificates for their purpose', async () => {
  const root = file('ca.crt', ca.cert);
  const member = issue({ ca, kind: 'member', name: 'one', addresses: ['10.0.0.1', '10.0.0.2'] });
  const client = issue({ ca, kind: 'client', name: 'one' });
  const verify = (purpose: string, cert: string) =>
    run([
      ...(['openssl', 'verify', '-x509_strict', '-CAfile', root] as const),
      ...['-purpose', purpose, file(`${purpose}.crt`, cert)],
    ]);
  for (const [purpose, cert, code] of [
    ['sslserver', member.cert, 0],
    ['sslclient', member.cert, 0],
    ['sslclient', client.cert, 0],
    ['sslserver', client.cert, 2],
  ] as const) {
    const { code: is, stderr } = await verify(purpose, cert);
    assert.equal(is, code, stderr);
  }
  const text = await runOk(['openssl', 'x509', '-noout', '-text', '-in', file('member.crt', member.cert)]);
  assert.match(text, /Subject: OU = one, CN = weavets-member/);
  assert.match(text, /IP Address:10\.0\.0\.1, IP Address:10\.0\.0\.2/);
  assert.match(text, /CA:FALSE/);
  assert.ok(new X509Certificate(member.cert).checkPrivateKey(createPrivateKey(member.key)));
});

test('an authority of the same name does not verify it', () => {
  const { cert } = issue({ ca, kind: 'member', name: 'one' });
  const other = createAuthority('0123456789ab');
  const signed = (by: string) => new X509Certificate(cert).verify(new X509Certificate(by).publicKey);
  assert.equal(signed(ca.cert), true);
  assert.equal(signed(other.cert), false);
  assert.notEqual(fingerprint(ca.cert), fingerprint(other.cert));
  assert.equal(clusterIdOf(ca.cert), '0123456789ab');
  assert.throws(() => clusterIdOf(cert));
});

test('certificates begin before now, and an authority lasts beyond 2049 where it must', () => {
  const { validFrom, validTo } = new X509Certificate(issue({ ca, kind: 'client', name: 'one' }).cert);
  assert.ok(Date.parse(validFrom) < Date.now() - 3_000_000);
  assert.ok(Math.abs(Date.parse(validTo) - Date.now() - 90 * day) < 3_600_000);
  const far = new X509Certificate(issue({ ca, kind: 'client', name: 'one', days: 10_000 }).cert);
  assert.ok(Math.abs(Date.parse(far.validTo) - Date.now() - 10_000 * day) < 3_600_000);
});

test("a certificate that was made while the host's clock was ahead or behind is valid, or renewed, once that is right", (t) => {
  const ahead = Date.now() + 61 * day;
  t.mock.timers.enable({ apis: ['Date'], now: ahead });
  const early = issue({ ca, kind: 'member', name: 'one' }).cert;
  t.mock.timers.setTime(ahead - 400 * day);
  const late = issue({ ca, kind: 'member', name: 'one' }).cert;
  t.mock.timers.reset();
  assert.ok(Date.parse(new X509Certificate(early).validFrom) < Date.now());
  assert.equal(renewalDue(early), false);
  assert.equal(renewalDue(late), true);
});

test('renewal is due when less than a third of the lifetime is left, and for anything that is no certificate', () => {
  const { cert } = issue({ ca, kind: 'client', name: 'one' });
  const after = (days: number) => new Date(Date.now() + days * day);
  assert.equal(renewalDue(cert, after(59)), false);
  assert.equal(renewalDue(cert, after(61)), true);
  assert.equal(renewalDue('', after(0)), true);
});

test("a host's certificates are made once, and again when due or for a new address; the key stays", async () => {
  const at = join(folder, 'host');
  const { member } = etcdFiles(at);
  const text = (path: string) => readFileSync(path, 'utf8');
  const ensure = (addresses: string[], now = new Date()) =>
    ensureCertificates(at, { ca, name: 'one', addresses, now });
  assert.equal(await ensure(['10.0.0.1']), true);
  const [cert, key] = [text(member.cert), text(member.key)];
  assert.equal(await ensure(['10.0.0.1']), false);
  assert.equal(await ensure(['10.0.0.1'], new Date(Date.now() + 61 * day)), true);
  assert.notEqual(text(member.cert), cert);
  assert.equal(text(member.key), key);
  assert.equal(await ensure(['10.0.0.2']), true);
  assert.ok(new X509Certificate(text(member.cert)).checkIP('10.0.0.2'));
  const other = createAuthority('ffffffffffff');
  assert.equal(await ensureCertificates(at, { ca: other, name: 'one', addresses: ['10.0.0.2'] }), true);
});
