/** Typed operations shared by the command line and the daemon: one line of JSON each over the control socket. */
import type { Report } from '../report/report.ts';

/** A container, or the host itself, as `ps` shows it. */
export interface PsEntry {
  /** how the question named it; absent where it named none */
  asked?: string;
  /** 64 hex digits, or `weave:expose` */
  id: string;
  name: string;
  mac: string;
  cidrs: string[];
}

/** A running container that is or is not attached, and why, for `ps --why`. */
export interface WhyEntry {
  id: string;
  name: string;
  attached: boolean;
  /** why it is not; its addresses if it is */
  reason: string;
  /** what does not work for it though it is attached */
  warnings: string[];
}

/** Every operation: what it takes and what it gives. */
export interface Operations {
  ping: { in: Record<string, never>; out: { pid: number; version: string; ready: boolean } };
  report: { in: Record<string, never>; out: Report };
  ps: { in: { containers: string[] }; out: PsEntry[] };
  why: { in: Record<string, never>; out: WhyEntry[] };
  stop: { in: Record<string, never>; out: Record<string, never> };
  attach: {
    in: {
      container: string;
      requests: string[];
      rewriteHosts: boolean;
      addHosts: string[];
      multicastRoute: boolean;
      /** false with --without-dns: no name for the container; default true */
      dns?: boolean;
    };
    out: { addresses: string[] };
  };
  detach: { in: { container: string; requests: string[] }; out: { addresses: string[] } };
  expose: {
    in: { requests: string[]; fqdn: string | null; masquerade: boolean };
    out: { addresses: string[] };
  };
  hide: { in: { requests: string[] }; out: { addresses: string[] } };
  dnsAdd: {
    in: { container: string | null; ips: string[]; fqdn: string | null };
    out: Record<string, never>;
  };
  dnsRemove: {
    in: { container: string | null; ips: string[]; fqdn: string | null };
    out: Record<string, never>;
  };
  dnsLookup: { in: { name: string }; out: { addresses: string[] } };
  dnsArgs: { in: Record<string, never>; out: { args: string[] } };
  rmpeer: { in: { peers: string[] }; out: { lines: string[] } };
  connect: { in: { peers: string[]; replace: boolean }; out: Record<string, never> };
  forget: { in: { peers: string[] }; out: Record<string, never> };
  prime: { in: Record<string, never>; out: Record<string, never> };
}

/** Name of an operation. */
export type Operation = keyof Operations;
