import { Failure } from "../failure.ts";

/** Where a server's secrets are kept: at Cloudflare, or in the file of a local server. Values are never read back. */
export interface SecretStore {
  /** The names of the secrets that are set. @throws Failure if the store cannot be read */
  names(): Promise<string[]>;
  /** Sets a secret. A value that it had is lost: see `putNew`. @throws Failure */
  put(name: string, value: string): Promise<void>;
  /** Removes a secret. @throws Failure, also if there is none with this name */
  delete(name: string): Promise<void>;
  /** Tells a running server again that secrets have changed. Left out: it notices by itself. */
  announce?(): Promise<void>;
  /** Names the store in a sentence, such as "the deployed Worker". */
  describe(): string;
  /** The command line with which a person sets a secret to what another command prints. */
  putCommand(name: string, generator: string): string;
  /** The command line with which a person removes a secret. */
  deleteCommand(name: string): string;
}

/** A Worker's secret has at most 5 KB. */
export const MAX_SECRET_BYTES = 5120;

/**
 * Sets a secret that does not exist yet.
 *
 * @throws Failure if the name is taken or the value is too long; the store is not changed then
 */
export async function putNew(
  store: SecretStore,
  name: string,
  value: string,
): Promise<void> {
  const bytes = Buffer.byteLength(value);
  if (bytes > MAX_SECRET_BYTES)
    throw new Failure(
      `${name} was not set, because its value has ${bytes} bytes and a secret has at most ${MAX_SECRET_BYTES}.`,
    );
  if ((await store.names()).includes(name))
    throw new Failure(
      `${name} was not set, because ${store.describe()} already has a secret with this name, and it would be lost. Choose another name.`,
    );
  await store.put(name, value);
}
