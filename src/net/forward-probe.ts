import { createSocket } from 'node:dgram';
import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { runOk } from '../lib/exec.ts';
import { bridgeName } from './bridge.ts';
import { IpBatch } from './ip.ts';
import { hookAdvice } from './nft-chains.ts';
import { linkFile } from './sysfs.ts';

/** The two made-up containers: a port on the bridge each, the link behind it, a MAC and an address. */
const sender = { port: 'vethwe-pa', link: 'weave-pa', mac: '02:77:65:61:76:01', ip: '169.254.67.85' };
const receiver = { port: 'vethwe-pb', link: 'weave-pb', mac: '02:77:65:61:76:02', ip: '169.254.67.86' };
/** UDP discard: nobody listens, nobody answers */
const discard = 9;
/** By its size it is told from what the host itself sends over the bridge: that goes to every port. */
const payload = Buffer.alloc(1_200);

/** ms to wait for a frame that passes a bridge within microseconds */
const patience = 1_000;
const pause = 10;
/** attempts to remove the links, and ms between them */
const removals = { most: 20, pause: 250 } as const;

/** What happened to a frame between two bridge ports; `unsent`: the host did not even send it. */
export type Passage = 'passed' | 'dropped' | 'unsent';

/**
 * Sends a frame over the bridge as from one container to another: with br_netfilter it goes through every forward hook
 * of the host, of which only the kernel knows what they all do. Nothing of it is left, and no container sees it.
 */
export async function probeForwarding(): Promise<Passage> {
  // A batch of its own: the links' indices are new each time.
  const ip = new IpBatch();
  try {
    await ip.run([`link del ${sender.port}`, `link del ${receiver.port}`]);
    const ends = [sender, receiver];
    await ip.runOk(
      ends.map(({ port, link, mac }) => `link add ${port} type veth peer name ${link} address ${mac}`),
    );
    // IPv6's own frames would be counted.
    for (const { port, link } of ends) await Promise.all([port, link].map(withoutIpv6));
    await ip.runOk([...ends.flatMap(upLines), ...addressLines]);
    await runOk(['bridge', 'fdb', 'replace', receiver.mac, 'dev', receiver.port, 'master', 'static']);
    return await passage();
  } finally {
    await removeEnds(ip).finally(() => ip.close());
  }
}

/** Again if the tool was killed meanwhile: what is left would stay until the next probe. @throws WeaveError TOOL_FAILED */
export async function removeEnds(ip: Pick<IpBatch, 'run'>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await ip.run([`link del ${sender.port}`, `link del ${receiver.port}`]);
      return;
    } catch (error) {
      if (tries === removals.most) throw error;
      await delay(removals.pause);
    }
  }
}

/** Where IPv6 is off there is no such file. */
async function withoutIpv6(link: string): Promise<void> {
  await writeFile(`/proc/sys/net/ipv6/conf/${link}/disable_ipv6`, '1').catch(() => {});
}

function upLines({ port, link }: typeof sender): string[] {
  return [
    `link set ${port} master ${bridgeName}`,
    `link set ${port} type bridge_slave learning off flood off mcast_flood off bcast_flood off`,
    ...[port, link].map((name) => `link set ${name} up`),
  ];
}

const addressLines = [
  `addr add ${sender.ip}/32 dev ${sender.link} scope link`,
  `route add ${receiver.ip} dev ${sender.link} src ${sender.ip}`,
  `neigh replace ${receiver.ip} lladdr ${receiver.mac} dev ${sender.link} nud permanent`,
];

async function passage(): Promise<Passage> {
  const socket = createSocket('udp4').unref();
  socket.on('error', () => {});
  try {
    const end = performance.now() + patience;
    for (;;) {
      // A policy may refuse it at once; the counters tell.
      await new Promise<void>((sent) => socket.send(payload, discard, receiver.ip, () => sent()));
      await delay(pause);
      if (bytes(receiver.link, 'rx') > payload.length) return 'passed';
      if (performance.now() > end) break;
    }
    return bytes(sender.link, 'tx') > payload.length ? 'dropped' : 'unsent';
  } finally {
    socket.close();
  }
}

function bytes(link: string, way: 'rx' | 'tx'): number {
  return Number(linkFile(link, `statistics/${way}_bytes`));
}

/** Says what drops the frames, with the line to type. */
export async function forwardAdvice(): Promise<string> {
  const match = `iifname "${bridgeName}" oifname "${bridgeName}"`;
  const advice = await hookAdvice('forward', { what: 'them', match });
  return `the host's firewall drops frames between containers, so they can't reach each other: ${advice}`;
}
