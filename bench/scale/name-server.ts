import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NameTable } from '../../src/dns/names.ts';
import { DnsServer } from '../../src/dns/server.ts';
import { runOk } from '../../src/lib/exec.ts';
import { silent } from '../../src/lib/log.ts';
import { formatIp } from '../../src/model/address.ts';
import { hex, peerOf } from './made-up.ts';

const [address, port] = ['127.77.0.3', 5453];

/** Queries a second that the name server answers with so many names, all of them asked for. Needs dnsperf. */
export async function nameServerRates(sizes: readonly number[]): Promise<{ names: number; rate: number }[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-scale-'));
  const queries = join(folder, 'queries');
  const rates: { names: number; rate: number }[] = [];
  try {
    for (const size of sizes) {
      const names = new NameTable();
      for (let i = 0; i < size; i++) {
        const [hostname, ip] = [`app${i}.weave.local.`, formatIp(0x0a200001 + i)];
        names.add({ hostname, address: ip, containerId: hex(i % 1_000, i), origin: peerOf(i % 1_000) });
      }
      await writeFile(
        queries,
        names
          .list()
          .map(({ hostname }) => `${hostname} A\n`)
          .join(''),
      );
      const upstream = { forward: async () => null };
      const options = {
        addresses: [address],
        port,
        domain: 'weave.local.',
        ttl: 1,
        self: 'here',
        names,
        hosts: { find: () => [] },
        askers: { of: () => undefined },
        upstream,
      };
      const server = await DnsServer.listen({ ...options, logger: silent });
      const argv = [
        '-s',
        address,
        '-p',
        String(port),
        '-d',
        queries,
        '-l',
        '5',
        '-c',
        '4',
        '-q',
        '50',
      ] as const;
      const out = await runOk(['dnsperf', ...argv], { deadline: null });
      await server.close();
      rates.push({ names: size, rate: Number(/Queries per second: +([\d.]+)/.exec(out)?.[1]) });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return rates;
}
