/** The name server as the daemon puts it together: `dns-main.ts ADDRESS NAME=ADDRESS…`; ends with its parent. */
import { NameTable, qualify } from '../../src/dns/names.ts';
import { DnsServer } from '../../src/dns/server.ts';
import { UpstreamDns } from '../../src/dns/upstream.ts';
import { createLogger } from '../../src/lib/log.ts';

const [address = '', ...pairs] = process.argv.slice(2);
const domain = 'weave.local.';
const names = new NameTable();
for (const pair of pairs) {
  const [name = '', ip = ''] = pair.split('=');
  names.add({ hostname: qualify(name, domain), address: ip, containerId: name, origin: 'here' });
}
const logger = createLogger();
const upstream = new UpstreamDns({ own: () => [`${address}:53`], logger });
const server = await DnsServer.listen({
  addresses: [address],
  port: 53,
  domain,
  ttl: 1,
  self: 'here',
  names,
  hosts: { find: () => [] },
  askers: { of: () => undefined },
  upstream,
  logger,
});
console.log(server.address);
process.stdin.resume().on('end', () => process.exit());
