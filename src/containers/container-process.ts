import { closeSync, constants, fstatSync, openSync, readFileSync, readlinkSync, statSync } from 'node:fs';

/**
 * The first process of a container, held by its folder in /proc: a reused pid can't be
 * taken for it. Only the kernel's own files are read through it, never the container's.
 */
export class ContainerProcess {
  readonly pid: number;
  #fd: number | undefined;

  private constructor(pid: number, fd: number) {
    this.pid = pid;
    this.#fd = fd;
  }

  /**
   * @returns undefined: no such process, or it has not proved that it is this container's: its cgroup must name the
   * container, and its network must be another than ours
   */
  static open(pid: number, containerId: string): ContainerProcess | undefined {
    try {
      const fd = openSync(`/proc/${pid}`, constants.O_RDONLY | constants.O_DIRECTORY);
      const process = new ContainerProcess(pid, fd);
      if (process.#isOf(containerId)) return process;
      process.close();
    } catch {
      // It ended.
    }
    return undefined;
  }

  /** True if there is a running process with this pid, whoever's it is. */
  static exists(pid: number): boolean {
    return netnsOf(`/proc/${pid}`) !== undefined;
  }

  /** False once it has ended and lost its network namespace. */
  get alive(): boolean {
    return this.#fd !== undefined && netnsOf(this.#path('')) !== undefined;
  }

  /** Path of the program that it runs, in its own root. @throws when the process has ended */
  get program(): string {
    return readlinkSync(this.#path('exe')).replace(/ \(deleted\)$/, '');
  }

  /** The short name that it may give itself. @throws when the process has ended */
  get title(): string {
    return readFileSync(this.#path('comm'), 'utf8').trimEnd();
  }

  /** Opens its network namespace. @returns a descriptor, the caller's to close @throws when the process has ended */
  openNetns(): number {
    return openSync(this.#path('ns/net'), constants.O_RDONLY);
  }

  /**
   * Opens its UTS namespace. @returns a descriptor, the caller's to close; undefined: it is the host's own
   * @throws when the process has ended
   */
  openUts(): number | undefined {
    const fd = openSync(this.#path('ns/uts'), constants.O_RDONLY);
    if (fstatSync(fd).ino !== statSync('/proc/self/ns/uts').ino) return fd;
    closeSync(fd);
    return undefined;
  }

  /** IPv4 addresses of its network namespace, loopback aside; none if it has ended. */
  localAddresses(): string[] {
    try {
      const table = readFileSync(this.#path('net/fib_trie'), 'utf8');
      const found = [...table.matchAll(/\|-- ([\d.]+)\n\s+\/32 host LOCAL/g)].map(([, ip = '']) => ip);
      return [...new Set(found)].filter((address) => !address.startsWith('127.'));
    } catch {
      return [];
    }
  }

  /** True if its network namespace has not this IPv4 address; false if it has ended. */
  lacks(address: string): boolean {
    const local = this.localAddresses();
    return local.length > 0 && !local.includes(address);
  }

  /** The IPv4 routes of its network namespace, as the kernel prints them; empty if it has ended. */
  routeTable(): string {
    try {
      return readFileSync(this.#path('net/route'), 'utf8');
    } catch {
      return '';
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #isOf(containerId: string): boolean {
    const netns = netnsOf(this.#path(''));
    return (
      netns !== undefined &&
      netns !== ownNetns &&
      cgroupNames(readFileSync(this.#path('cgroup'), 'utf8'), containerId)
    );
  }

  #path(file: string): string {
    return `/proc/self/fd/${this.#fd}/${file}`;
  }
}

const ownNetns = netnsOf('/proc/self');

/** @returns undefined once the process has ended */
function netnsOf(folder: string): string | undefined {
  try {
    return readlinkSync(`${folder}/ns/net`);
  } catch {
    return undefined;
  }
}

/**
 * True if a line of /proc/<pid>/cgroup, of version 1 or 2, lies in the container's group: `/docker/<id>`,
 * `/system.slice/docker-<id>.scope`, `/machine.slice/libpod-<id>.scope/container`, `/libpod_parent/libpod-<id>`.
 */
export function cgroupNames(text: string, containerId: string): boolean {
  return text.split('\n').some((line) => {
    const path = line.split(':').slice(2).join(':');
    return path.split('/').some((part) => /^(?:[a-z]+-)?(.+?)(?:\.scope)?$/.exec(part)?.[1] === containerId);
  });
}
