import { createHmac, timingSafeEqual } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

/**
 * Proof of the cluster's password in both directions, by OPAQUE (RFC 9807): who listens, or poses as either side, learns
 * nothing by which passwords could be tried out, and has one guess each time. Its session key is then tied to the TLS
 * connection, so that nobody can stand between two connections and pass the proof on.
 */
const userIdentifier = 'weavets';
/** The answering host has the password anyway: what it keeps in memory for this needs no slow hash. */
const keyStretching = { 'argon2id-custom': { memory: 64, iterations: 1, parallelism: 1 } } as const;

type Opaque = typeof import('@serenity-kit/opaque');

/** Loaded when it is first needed: a host that is in no cluster needs none of it. */
async function library(): Promise<Opaque> {
  const opaque = await import('@serenity-kit/opaque');
  await opaque.ready;
  return opaque;
}

/** The asked host's state during a proof. */
export interface Pending {
  /** for the client */
  response: string;
  /** @returns the session key; undefined: another password */
  finish(request: string): string | undefined;
}

/** The side that lets in. */
export class PasswordGuard {
  readonly #opaque: Opaque;
  readonly #setup: string;
  readonly #record: string;

  private constructor(opaque: Opaque, setup: string, record: string) {
    this.#opaque = opaque;
    this.#setup = setup;
    this.#record = record;
  }

  static async of(password: string): Promise<PasswordGuard> {
    const opaque = await library();
    const serverSetup = opaque.server.createSetup();
    const { clientRegistrationState, registrationRequest } = opaque.client.startRegistration({ password });
    const { registrationResponse } = opaque.server.createRegistrationResponse({
      serverSetup,
      userIdentifier,
      registrationRequest,
    });
    const { registrationRecord } = opaque.client.finishRegistration({
      clientRegistrationState,
      registrationResponse,
      password,
      keyStretching,
    });
    return new PasswordGuard(opaque, serverSetup, registrationRecord);
  }

  /** @throws Error for what is no request */
  start(startLoginRequest: string): Pending {
    const { server } = this.#opaque;
    const { serverLoginState, loginResponse } = server.startLogin({
      serverSetup: this.#setup,
      userIdentifier,
      registrationRecord: this.#record,
      startLoginRequest,
    });
    return {
      response: loginResponse,
      finish: (finishLoginRequest) => {
        try {
          return server.finishLogin({ serverLoginState, finishLoginRequest }).sessionKey;
        } catch {
          return undefined;
        }
      },
    };
  }
}

/** The side that asks to be let in. */
export async function claimPassword(password: string) {
  const opaque = await library();
  const { clientLoginState, startLoginRequest } = opaque.client.startLogin({ password });
  return {
    request: startLoginRequest,
    /** @returns undefined: the other side has another password */
    finish(loginResponse: string): { request: string; sessionKey: string } | undefined {
      try {
        const done = opaque.client.finishLogin({ clientLoginState, loginResponse, password, keyStretching });
        return done && { request: done.finishLoginRequest, sessionKey: done.sessionKey };
      } catch {
        return undefined;
      }
    },
  };
}

/** What only the two ends of this very connection can compute, from their shared session key. */
export function bindingOf(socket: TLSSocket, sessionKey: string, side: 'asked' | 'asking'): string {
  const channel = socket.exportKeyingMaterial(32, 'EXPORTER-weavets-join', Buffer.alloc(0));
  return createHmac('sha256', sessionKey).update(side).update(channel).digest('hex');
}

export function sameBinding(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
