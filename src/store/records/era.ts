import * as v from 'valibot';
import { peerName, word } from './fields.ts';
import { RecordKind } from './record-kind.ts';

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const era = v.object({
  number: count,
  /** random: two hosts may begin an era of one number in histories of the store that know nothing of each other */
  id: word,
  /** the hosts that live have told what they have: blocks change hands */
  settled: v.boolean(),
});

/** The time since the store was last set back to an earlier state. */
export type Era = v.InferOutput<typeof era>;

/** `era/now` */
export const eraRecord = new RecordKind({ prefix: 'era/', key: v.literal('now'), value: era });

const turn = v.object({
  /** counts this host's writes to blocks; goes with each of them */
  turn: count,
  /** id of the era for which the host tells what it has */
  era: word,
  /** what it says is true of itself from `dropped` on: claims that it does not know are gone; and all is told at `told` */
  step: v.picklist(['begun', 'dropped', 'told']),
});

/** How far a host has come with what it writes to blocks. */
export type Turn = v.InferOutput<typeof turn>;

/** `turn/<host>`: outlives the host, also when that is removed. */
export const turnRecord = new RecordKind({
  prefix: 'turn/',
  key: peerName as v.GenericSchema<string, string>,
  value: turn,
});

const stand = v.object({
  /** id of the machine */
  machine: word,
  /** the last turn that was sent to the cluster's store, and the last that is known to have got there */
  sent: count,
  confirmed: count,
  /** the era that was entered last; null: none */
  era: v.nullable(v.object({ number: count, id: word })),
  /** the cluster's store knew more of this host than this one, when the era was entered */
  behind: v.boolean(),
});

/** What a host remembers of its turns. */
export type Stand = v.InferOutput<typeof stand>;

/** `stand/<host>`, in the host's own store. */
export const standRecord = new RecordKind({
  prefix: 'stand/',
  key: peerName as v.GenericSchema<string, string>,
  value: stand,
});
