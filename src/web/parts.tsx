import type { ContainerView, EventView, HostView, PathView } from '../report/network.ts';
import { containerLink, hostLink } from './route.ts';
import { stateWords } from './search.ts';

/** In words and by a sign, never by a colour alone. */
export function State({ of }: { of: ContainerView['state'] }) {
  return <span class={`state ${of}`}>{stateWords[of]}</span>;
}

export function ContainerName({ of, row }: { of: ContainerView; row?: number }) {
  return (
    <a href={containerLink(of.id)} data-row={row}>
      {of.name || of.id.slice(0, 12)}
    </a>
  );
}

export function HostName({ of, name }: { of: HostView | undefined; name: string }) {
  return of ? <a href={hostLink(of.name)}>{of.nickname}</a> : name;
}

/** `14:03:12`, with the day before it if that is not today. */
export function Time({ at }: { at: number }) {
  const date = new Date(at);
  const two = (figure: number) => String(figure).padStart(2, '0');
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  const isToday = date.toDateString() === new Date().toDateString();
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} `;
  return (
    <time dateTime={date.toISOString()} title={date.toString()}>
      {isToday ? clock : day + clock}
    </time>
  );
}

/** Text of an event, with a sign of how grave it is. */
export function EventText({ of }: { of: EventView }) {
  return <span class={`event ${of.level}`}>{of.text}</span>;
}

/** What an event is about, with a way there where there is one. */
export function Subject({ of, hosts }: { of: EventView; hosts: ReadonlyMap<string, HostView> }) {
  if (of.subject === '') return <>this host</>;
  if (hosts.has(of.subject)) return <a href={hostLink(of.subject)}>{of.name}</a>;
  return <a href={containerLink(of.subject)}>{of.name || of.subject.slice(0, 12)}</a>;
}

/** How the way to a host fares: `0.42 ms · MTU 1410`. */
export function wayFigures(path: PathView): string {
  if (path.state === 'failed') return 'no answer';
  if (path.state === 'pending') return 'not heard of yet';
  const loss = path.loss ? `${Math.round(path.loss * 100)}% lost` : '';
  const mtu = path.mtu === undefined ? '' : `MTU ${path.mtu}`;
  return [millisecondsOf(path), loss, mtu].filter(Boolean).join(' · ') || 'reached';
}

export function carrierText({ carrier }: PathView): string {
  return carrier === 'vxlan' ? 'VXLAN, in clear' : 'WireGuard, encrypted';
}

export function millisecondsOf({ roundTripMs }: PathView): string {
  if (roundTripMs === undefined) return '';
  return `${roundTripMs < 10 ? roundTripMs.toFixed(2) : roundTripMs.toFixed(0)} ms`;
}

/** What is said of a host in one word; it is also the class that draws it. */
export function hostState({ alive, path }: HostView, isSelf: boolean): 'self' | 'gone' | PathView['state'] {
  if (isSelf) return 'self';
  return alive ? (path?.state ?? 'pending') : 'gone';
}

export const bare = (address: string) => address.replace(/\/\d+$/, '');

/** `1 container`, `3 containers`. */
export const count = (number: number, noun: string) =>
  `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;

/** A page's heading, and how many of all the search has found. */
export function CountedHeading({
  title,
  noun,
  found,
  all,
}: {
  title: string;
  noun: string;
  found: number;
  all: number;
}) {
  return (
    <div class="head">
      <h1 tabIndex={-1}>{title}</h1>
      <p class="quiet" role="status">
        {found === all ? count(all, noun) : `${found} of ${count(all, noun)}`}
      </p>
    </div>
  );
}
