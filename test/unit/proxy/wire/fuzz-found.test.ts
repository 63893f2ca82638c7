// What `npm run fuzz` found, each as it was found.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Scripted } from '../../../support/proxied.ts';

const refusal = 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';
const image = '{"message":"No such image: x"}';
const create = async () => ({ status: 404, message: 'No such image: x' });

/** What comes for these bytes, until the proxy ends the connection. */
async function answerTo(bytes: string): Promise<string> {
  await using scripted = await Scripted.start(
    (engine) => engine.socket.once('data', () => engine.socket.end(refusal)),
    { create, commit: create },
  );
  const client = scripted.connect().send(bytes);
  const answer = await client.until((_, { ended }) => ended, 60_000);
  client.socket.destroy();
  return answer;
}

test('two equal lengths on an intercepted call are answered, not dropped', async () => {
  const fields = 'Host: d\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}';
  // Held calls are read as the engine reads them, others by Node.
  const behind = 'GET /x HTTP/1.1\r\nHost: d\r\n\r\n';
  assert.ok((await answerTo(`POST /containers/create HTTP/1.1\r\n${fields}${behind}`)).includes(image));
  assert.match(await answerTo(`POST /commit HTTP/1.1\r\n${fields}`), /^HTTP\/1\.1 400 [\s\S]*malformed/);
});

test('two hosts, or an expectation in HTTP/1.0: refused as by the engine, on intercepted calls too', async () => {
  for (const head of ['HTTP/1.1\r\nHost: d\r\nHost: d', 'HTTP/1.0\r\nHost: d\r\nExpect: x']) {
    const answer = await answerTo(`POST /containers/create ${head}\r\nContent-Length: 2\r\n\r\n{}`);
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.doesNotMatch(answer, /No such image/);
  }
});

test('after HTTP/1.0 or Connection: close, nothing that follows is answered', async () => {
  const behind = 'POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n{}';
  for (const first of ['GET /x HTTP/1.0\r\nHost: d', 'GET /x HTTP/1.1\r\nHost: d\r\nConnection: close']) {
    const answer = await answerTo(`${first}\r\n\r\n${behind}`);
    assert.match(answer, /^HTTP\/1\.1 404 Not Found/);
    assert.ok(!answer.includes(image), answer);
  }
});
