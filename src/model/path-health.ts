/** How packets of one size fare on the way to another host. */
export interface Beat {
  /** changes only after several outcomes of the same kind in a row */
  state: 'ok' | 'failing' | 'unknown';
  /** ms since the epoch at which it came to be so */
  since: number;
  /** of the last answer, ms; absent: there was none */
  roundTripMs?: number;
  /** of the last 20, 0 to 1 */
  loss: number;
}

/** How the way to another host is, inside the containers' network. */
export interface PathHealth {
  /** name of the host: a MAC, or what `--name` made of it */
  peer: string;
  nickname: string;
  /** underlay IPv4 */
  address: string;
  small: Beat;
  /** of the containers' MTU */
  full: Beat;
  /** the largest packet that passes, bytes, where full size does not; absent: full size passes, or nothing is known */
  mtu?: number | undefined;
  /** whether the hosts hear each other outside the containers' network */
  underlay: 'up' | 'down' | 'unknown';
  /** true where there are too many hosts to ask each of them every time */
  sampled: boolean;
}
