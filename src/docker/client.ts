import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import type Docker from 'dockerode';
import { Pool } from 'undici';
import { WeaveError } from '../lib/errors.ts';
import { findShim } from '../model/shim.ts';
import type { EngineVersions } from './command-error.ts';
import { type InspectBody, toContainerInfo } from './inspect-body.ts';
import type { ContainerInfo, ListedContainer } from './types.ts';

/** Where the engine listens, and its client certificate files if it wants TLS. */
export interface EngineAddress {
  /** `unix:///path` or `tcp://host:port` */
  url: string;
  tls: { ca?: string; cert?: string; key?: string; verify: boolean } | null;
}

/** An answer of the engine, unread beyond its JSON. */
export interface EngineReply {
  status: number;
  body: string;
}

/** Newest API version that this client was tested with; an older engine gets its own. */
const newestApi = '1.51';

/** Longest waits for the engine, ms. */
export interface EngineDeadlines {
  /** for reads */
  read: number;
  /** for stopping or removing a container: the engine answers when that is done */
  change: number;
}

const deadlines: EngineDeadlines = { read: 10_000, change: 60_000 };

/**
 * weavets' own calls to the engine. What it asks goes through an undici pool (a kept connection, no set-up); what it
 * tells the engine to do, through dockerode, which is loaded then. Each has a deadline. Errors: WeaveError ENGINE_UNREACHABLE, ENGINE_TIMEOUT, ENGINE_ERROR.
 */
export class EngineClient {
  readonly address: EngineAddress;
  readonly #pool: Pool;
  readonly #deadlines: EngineDeadlines;
  #version: Promise<string> | undefined;
  #root: string | undefined;

  constructor(address: EngineAddress, limits: EngineDeadlines = deadlines) {
    this.address = address;
    this.#deadlines = limits;
    this.#pool = new Pool(originOf(address), {
      connect: address.url.startsWith('unix://') ? { socketPath: socketOf(address) } : tlsOf(address),
      // Unlimited: a call queued behind a hung one would have no deadline of its own.
      connections: null,
      connectTimeout: limits.read,
      headersTimeout: limits.read,
      bodyTimeout: limits.read,
      // The engine may restart at any time; a long-idle socket is probably stale.
      keepAliveTimeout: 20_000,
    });
  }

  /** @returns undefined when there is no such container */
  async inspect(idOrName: string, signal?: AbortSignal): Promise<ContainerInfo | undefined> {
    const reply = await this.get(`/containers/${encodeURIComponent(idOrName)}/json`, signal);
    if (reply.status === 404 || isGone(reply)) return undefined;
    return toContainerInfo(JSON.parse(okBody(reply, `inspect ${idOrName}`)) as InspectBody);
  }

  /** Container inspect as the engine answers it, whatever its status. */
  inspectAnswer(idOrName: string): Promise<EngineReply> {
    return this.get(`/containers/${encodeURIComponent(idOrName)}/json`);
  }

  /** Image inspect, whatever its status; `platform` in the create call's form. */
  imageInspect(reference: string, platform?: string): Promise<EngineReply> {
    const query = platform === undefined ? '' : `?platform=${encodeURIComponent(platform)}`;
    // Slashes of a reference are part of the path to the engine.
    return this.get(`/images/${encodeURIComponent(reference).replaceAll('%2F', '/')}/json${query}`);
  }

  /** All containers, or the running ones. */
  async list(options: { all: boolean }): Promise<ListedContainer[]> {
    const reply = await this.get(`/containers/json?all=${options.all}`);
    const rows = JSON.parse(okBody(reply, 'list of containers')) as Docker.ContainerInfo[];
    return rows.map((row) => ({
      id: row.Id,
      name: (row.Names[0] ?? '').replace(/^\//, ''),
      running: row.State === 'running' || row.State === 'paused',
      shim: findShim(row.Mounts ?? []),
    }));
  }

  /** Stops a container like `docker stop`: no restart policy starts it again. No error if it has ended. */
  async stop(id: string): Promise<void> {
    const container = (await this.dockerode()).getContainer(id);
    await this.#change((abortSignal) =>
      container.stop({ abortSignal }).catch((error: { statusCode?: number }) => {
        if (error.statusCode !== 304 && error.statusCode !== 404) throw error;
      }),
    );
  }

  /** The versions on which an engine's messages depend. */
  async versions(): Promise<EngineVersions> {
    const body = JSON.parse(okBody(await this.get('/version'), 'version')) as VersionBody;
    const runtime = body.Components?.find(({ Name }) => Name === 'runc')?.Version ?? '';
    return { engine: body.Version ?? '', runtime };
  }

  async kill(id: string): Promise<void> {
    const container = (await this.dockerode()).getContainer(id);
    await this.#change((abortSignal) => container.kill({ abortSignal }));
  }

  /** Removes a container with its anonymous volumes; the engine refuses if it runs. */
  async remove(id: string): Promise<void> {
    const container = (await this.dockerode()).getContainer(id);
    await this.#change((abortSignal) => container.remove({ v: true, abortSignal }));
  }

  /** The engine's API version that we speak, `1.41`. */
  version(): Promise<string> {
    this.#version ??= this.#negotiate().catch((error: unknown) => {
      this.#version = undefined;
      throw error;
    });
    return this.#version;
  }

  /** Pings the engine. */
  async ping(): Promise<void> {
    await this.#request('/_ping');
  }

  /** Forgets the negotiated version: the engine may come back as another one. */
  forgetVersion(): void {
    this.#version = undefined;
    this.#root = undefined;
  }

  /**
   * The stream of the engine's events, lines of JSON, until `signal` ends it.
   * @param filters as the API has them
   */
  async events(filters: Record<string, string[]>, signal: AbortSignal): Promise<NodeJS.ReadableStream> {
    const query = `filters=${encodeURIComponent(JSON.stringify(filters))}`;
    const path = `/v${await this.version()}/events?${query}`;
    // Nothing may happen for any time.
    const request = { method: 'GET', path, signal, bodyTimeout: 0 } as const;
    const { statusCode: status, body } = await this.#call(() => this.#pool.request(request));
    if (status !== 200) okBody({ status, body: await body.text() }, 'events');
    return body;
  }

  /** The engine's data folder: `/var/lib/docker`. */
  async rootFolder(): Promise<string> {
    if (this.#root !== undefined) return this.#root;
    const reply = await this.get('/info');
    const { DockerRootDir } = JSON.parse(okBody(reply, 'info')) as { DockerRootDir: string };
    this.#root = DockerRootDir;
    return DockerRootDir;
  }

  async dockerode(): Promise<Docker> {
    const { url, tls } = this.address;
    // With all that it loads it would take 14 MB of a daemon that seldom stops or removes a container.
    const { default: Docker } = await import('dockerode');
    const version = `v${await this.version()}`;
    if (url.startsWith('unix://')) return new Docker({ socketPath: socketOf(this.address), version });
    const { hostname, port } = new URL(url);
    const files = tlsOf(this.address);
    const docker = new Docker({ host: hostname, port, protocol: tls ? 'https' : 'http', version, ...files });
    // Dockerode itself has no way to leave the engine's certificate unverified, as DOCKER_TLS does.
    if (tls?.verify === false)
      Object.assign(docker.modem, { agent: new Agent({ rejectUnauthorized: false }) });
    return docker;
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async get(path: string, signal?: AbortSignal): Promise<EngineReply> {
    const version = await this.version();
    return this.#request(`/v${version}${path}`, signal);
  }

  async #request(path: string, signal?: AbortSignal): Promise<EngineReply> {
    return this.#call(async () => {
      const { statusCode, body } = await this.#pool.request({ method: 'GET', path, signal });
      return { status: statusCode, body: await body.text() };
    });
  }

  async #negotiate(): Promise<string> {
    const { statusCode, headers, text } = await this.#call(async () => {
      const { body, ...answer } = await this.#pool.request({ method: 'GET', path: '/_ping' });
      return { ...answer, text: await body.text() };
    });
    // As one that wants TLS does without it.
    if (statusCode !== 200)
      throw new WeaveError('ENGINE_ERROR', `the engine at ${this.address.url} refused: ${text.trim()}`);
    const offered = String(headers['api-version'] ?? newestApi);
    return Number(offered.split('.')[1]) < Number(newestApi.split('.')[1]) ? offered : newestApi;
  }

  /** A call with a timeout, which changes something. */
  async #change<T>(call: (late: AbortSignal) => Promise<T>): Promise<T> {
    const { change } = this.#deadlines;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), change);
    try {
      return await this.#call(() => call(late.signal));
    } catch (error) {
      throw late.signal.aborted ? this.#tooLate(change, error) : error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #call<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      const { name, code, statusCode } = error as { name?: string; code?: string; statusCode?: number };
      if (error instanceof WeaveError || name === 'AbortError') throw error;
      if (timeouts.has(code)) throw this.#tooLate(this.#deadlines.read, error);
      if (statusCode !== undefined) {
        const text = (error as { json?: { message?: string } }).json?.message ?? (error as Error).message;
        throw new WeaveError('ENGINE_ERROR', `the engine refused: ${text}`, { cause: error });
      }
      throw new WeaveError(
        'ENGINE_UNREACHABLE',
        `cannot reach the Docker engine at ${this.address.url} (${(error as Error).message}); is dockerd running?`,
        { cause: error },
      );
    }
  }

  #tooLate(ms: number, cause: unknown): WeaveError {
    return new WeaveError(
      'ENGINE_TIMEOUT',
      `the Docker engine at ${this.address.url} did not answer within ${ms / 1000} s; its own log may tell why`,
      { cause },
    );
  }
}

/** How undici calls it when the engine lets it wait. */
const timeouts = new Set<string | undefined>([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

function okBody(reply: EngineReply, what: string): string {
  if (reply.status === 200) return reply.body;
  throw new WeaveError(
    'ENGINE_ERROR',
    `${what}: the engine answered ${reply.status}: ${reply.body.slice(0, 300)}`,
  );
}

function socketOf(address: EngineAddress): string {
  return address.url.slice('unix://'.length);
}

function originOf(address: EngineAddress): string {
  if (address.url.startsWith('unix://')) return 'http://localhost';
  return address.url.replace(/^tcp:/, address.tls ? 'https:' : 'http:');
}

function tlsOf(address: EngineAddress): {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
  rejectUnauthorized?: boolean;
} {
  const { tls } = address;
  if (tls === null) return {};
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  return { ca: read(tls.ca), cert: read(tls.cert), key: read(tls.key), rejectUnauthorized: tls.verify };
}

interface VersionBody {
  Version?: string;
  Components?: { Name: string; Version: string }[];
}

/** Podman's answer about a container that is just being removed. */
const isGone = ({ status, body }: EngineReply) =>
  status === 500 && /"cause":\s*"no such container"/.test(body);
