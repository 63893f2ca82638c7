/** A host that may be a member. */
export interface Candidate {
  address: string;
  /** its daemon runs now, and it has an etcd that can be a member */
  ready: boolean;
  /** ms since the epoch when it came; the oldest is the first to be taken */
  since: number;
}

/** A member, as whoever decides sees it. */
export interface SeenMember {
  id: string;
  address: string;
  learner: boolean;
  leader: boolean;
  /** ms for which it has not answered; 0: it answers */
  silent: number;
}

/** What {@link nextStep} decides by. */
export interface Situation {
  /** all that belong to the cluster, members or not */
  hosts: readonly Candidate[];
  members: readonly SeenMember[];
  /** how many shall vote where there are enough hosts */
  wanted: 3 | 5;
  /** ms of silence after which a member is given up */
  patience: number;
  /** ms of silence after which a learner that others wait for is given up */
  learnerPatience: number;
}

/** One change of etcd's members. */
export type Step =
  | { do: 'add'; address: string }
  | { do: 'promote'; id: string; address: string }
  | { do: 'remove'; id: string; address: string; why: string };

/**
 * Whether an etcd could be a member beside these: one older, in its second number at least, than all of them ends at
 * once. An unknown version is tried.
 */
export function canJoin(version: string, members: readonly string[]): boolean {
  return members.length === 0 || members.some((member) => !(release(version) < release(member)));
}

/** `3.5.16` as 3005; NaN: it is none. */
function release(version: string): number {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) * 1000 + Number(minor);
}

const majority = (voters: number) => Math.floor(voters / 2) + 1;

/**
 * Decides which hosts are members of etcd: one change at a time, each safe by itself, until there is none.
 *
 * One host votes alone; the second gets everything without a vote, for two voters stop as soon as one does; from the
 * third on there are three voters, or five. Two vote only on the way from one to three or back, as etcd takes in one
 * member at a time. A change that the voters which answer could not carry on from is never made.
 */
export function nextStep({ hosts, members, wanted, patience, learnerPatience }: Situation): Step | undefined {
  const voters = members.filter(({ learner }) => !learner);
  const answering = voters.filter(({ silent }) => silent === 0);
  if (answering.length < majority(voters.length)) return undefined;

  const hostAt = new Map(hosts.map((host) => [host.address, host]));
  const isGone = ({ address, silent }: SeenMember, limit = patience) =>
    !hostAt.has(address) || silent > limit;
  const taken = new Set(members.map(({ address }) => address));
  const free = hosts
    .filter(({ address, ready }) => ready && !taken.has(address))
    .sort((a, b) => a.since - b.since || (a.address < b.address ? -1 : 1));
  const sound = members.filter((member) => !isGone(member));
  const goal = goalOf(sound.length + free.length, wanted);

  // A voter that is gone, and can't go yet, is none that counts.
  const staying = voters.filter((voter) => !isGone(voter));
  const learner = members.find((member) => member.learner);
  if (learner && isGone(learner, staying.length < goal ? learnerPatience : patience)) {
    return removal(learner, 'it is gone');
  }
  const canGo = ({ silent }: SeenMember) =>
    voters.length > 1 && answering.length - (silent === 0 ? 1 : 0) >= majority(voters.length - 1);
  const gone = voters.find((voter) => isGone(voter) && canGo(voter));
  if (gone) return removal(gone, hostAt.has(gone.address) ? 'it is gone for long' : 'its host has left');

  if (staying.length > goal) {
    const spare = staying.filter(canGo).sort((a, b) => worth(a) - worth(b) || sinceOf(b) - sinceOf(a))[0];
    return spare && removal(spare, goal === 1 ? 'one host votes alone' : `${goal} voters are enough`);
  }
  if (staying.length < goal) {
    if (learner === undefined) return addition(free);
    return learner.silent === 0 ? { do: 'promote', id: learner.id, address: learner.address } : undefined;
  }
  if (goal > 1) return learner && removal(learner, `${goal} voters are enough`);
  return learner ? undefined : addition(free);

  function sinceOf({ address }: SeenMember): number {
    return hostAt.get(address)?.since ?? 0;
  }
}

/** Voters that a number of hosts can have: odd, as an even one more makes nothing safer. */
function goalOf(hosts: number, wanted: 3 | 5): 1 | 3 | 5 {
  if (hosts >= wanted) return wanted;
  return hosts >= 3 ? 3 : 1;
}

/** Of those that could go, one that is silent is first, and the leader last. */
const worth = ({ silent, leader }: SeenMember) => (silent > 0 ? 0 : leader ? 2 : 1);

const removal = ({ id, address }: SeenMember, why: string): Step => ({ do: 'remove', id, address, why });

function addition([first]: readonly Candidate[]): Step | undefined {
  return first && { do: 'add', address: first.address };
}
